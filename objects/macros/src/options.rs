//! The options of the attribute.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Ident, LitInt, LitStr, Path, Token, Type, parenthesized, parse_quote};

/// Longest name of a kind, bytes.
const NAME_BYTES_MAX: usize = 128;

/// The options of the attribute.
#[derive(Default)]
pub(crate) struct Options {
    /// The kind's name, if not the type's.
    pub(crate) name: Option<LitStr>,
    /// Version of state and methods.
    pub(crate) version: Option<LitInt>,
    /// Whether calls wait for a majority: a variant of `Mode`.
    pub(crate) mode: Option<Ident>,
    /// How reads are made sure to be current: a variant of `Reads`.
    pub(crate) reads: Option<Ident>,
    /// Fields that get a read.
    pub(crate) getters: Vec<Getter>,
    /// Where the crate `objects` is.
    root: Option<Path>,
}

/// A field that gets a read.
pub(crate) struct Getter {
    /// The field.
    pub(crate) field: Ident,
    /// Its type.
    pub(crate) declared: Type,
}

impl Options {
    /// The module with everything that generated code names.
    pub(crate) fn private(&self) -> Path {
        match &self.root {
            Some(root) => parse_quote!(#root::__private),
            None => parse_quote!(::objects::__private),
        }
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let key = Ident::parse_any(input)?;
            match key.to_string().as_str() {
                "name" => once(&key, &mut options.name, named(input)?)?,
                "version" => once(&key, &mut options.version, version(input)?)?,
                "mode" => once(&key, &mut options.mode, mode(input)?)?,
                "reads" => once(&key, &mut options.reads, reads(input)?)?,
                "crate" => once(&key, &mut options.root, root(input)?)?,
                "get" => options.getters.extend(getters(input)?),
                other => {
                    let known = "`name = \"…\"`, `version = N`, `mode = \"…\"`, \
                                 `reads = \"…\"`, `get(field: Type)`, `crate = path`";
                    let text = format!("`{other}` is not an option of `#[shared]`: {known}");
                    return Err(Error::new(key.span(), text));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        if let (Some(mode), Some(reads)) = (&options.mode, &options.reads)
            && mode == "Weak"
        {
            let text = "in weak mode the primary answers reads at once: `reads` has no meaning";
            return Err(Error::new(reads.span(), text));
        }
        Ok(options)
    }
}

impl Parse for Getter {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let field = input.parse()?;
        input.parse::<Token![:]>()?;
        Ok(Self {
            field,
            declared: input.parse()?,
        })
    }
}

fn once<T>(key: &Ident, place: &mut Option<T>, value: T) -> syn::Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(key.span(), format!("`{key}` is given twice"))),
    }
}

fn named(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    let name: LitStr = input.parse()?;
    if (1..=NAME_BYTES_MAX).contains(&name.value().len()) {
        Ok(name)
    } else {
        let text = format!("the name of a kind has 1 to {NAME_BYTES_MAX} bytes");
        Err(Error::new(name.span(), text))
    }
}

fn version(input: ParseStream<'_>) -> syn::Result<LitInt> {
    input.parse::<Token![=]>()?;
    let version: LitInt = input.parse()?;
    version.base10_parse::<u32>()?;
    Ok(version)
}

fn mode(input: ParseStream<'_>) -> syn::Result<Ident> {
    input.parse::<Token![=]>()?;
    let written: LitStr = input.parse()?;
    let variant = match written.value().as_str() {
        "strong" => "Strong",
        "weak" => "Weak",
        other => {
            let text = format!("`{other}` is neither `strong` nor `weak`");
            return Err(Error::new(written.span(), text));
        }
    };
    Ok(Ident::new(variant, written.span()))
}

fn reads(input: ParseStream<'_>) -> syn::Result<Ident> {
    input.parse::<Token![=]>()?;
    let written: LitStr = input.parse()?;
    let variant = match written.value().as_str() {
        "quorum" => "Quorum",
        "lease" => "Lease",
        "stale" => "Stale",
        other => {
            let text = format!("`{other}` is none of `quorum`, `lease`, `stale`");
            return Err(Error::new(written.span(), text));
        }
    };
    Ok(Ident::new(variant, written.span()))
}

fn root(input: ParseStream<'_>) -> syn::Result<Path> {
    input.parse::<Token![=]>()?;
    input.call(Path::parse_mod_style)
}

fn getters(input: ParseStream<'_>) -> syn::Result<Vec<Getter>> {
    let fields;
    parenthesized!(fields in input);
    let getters = Punctuated::<Getter, Token![,]>::parse_terminated(&fields)?;
    for getter in &getters {
        if matches!(getter.declared, Type::Reference(_)) {
            return Err(Error::new(
                getter.declared.span(),
                "write the field's own type",
            ));
        }
    }
    Ok(getters.into_iter().collect())
}
