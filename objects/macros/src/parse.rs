//! From a block to the kind that it describes, or to what is wrong with it.

use std::collections::BTreeMap;

use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, Error, FnArg, GenericArgument, ImplItem, ImplItemFn, ItemImpl, Pat, PatType,
    PathArguments, Receiver, ReturnType, Signature, Type, Visibility, parse_quote,
};

use crate::marks::{self, Marks};
use crate::model::{ARGUMENTS_MAX, Argument, Body, Kind, Method, Returned};
use crate::options::{Getter, Options};
use crate::types::{Passing, ReplaceSelf, Unsuitable, has_lifetime, is_named, referent};

/// Everything that is wrong with a block.
#[derive(Default)]
pub(crate) struct Problems(Option<Error>);

impl Problems {
    fn add(&mut self, problem: Error) {
        match &mut self.0 {
            Some(problems) => problems.combine(problem),
            None => self.0 = Some(problem),
        }
    }

    fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|problem| self.add(problem)).ok()
    }

    /// `value`, if nothing was wrong.
    fn check<T>(self, value: T) -> syn::Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}

/// Understands a block and takes the marks for the attribute out of it.
pub(crate) fn kind(options: &Options, block: &mut ItemImpl) -> syn::Result<Kind> {
    let marks = marks::take(block);
    let target = target(block)?;
    let ident = target
        .segments
        .last()
        .map(|last| last.ident.clone())
        .ok_or_else(|| {
            Error::new_spanned(&block.self_ty, "a shared object is a type with a name")
        })?;
    let mut problems = Problems::default();
    let mut methods = Vec::new();
    for (item, marks) in block.items.iter().zip(&marks) {
        let ImplItem::Fn(function) = item else {
            continue;
        };
        if marks.local {
            problems.keep(marks.check_local(&function.sig.ident));
        } else {
            methods.extend(problems.keep(method(function, &target, marks)));
        }
    }
    methods.extend(
        options
            .getters
            .iter()
            .filter_map(|get| problems.keep(getter(get))),
    );
    distinct(&methods, &mut problems);
    let version = options
        .version
        .as_ref()
        .map_or(Ok(1), |literal| literal.base10_parse());
    let name = options
        .name
        .as_ref()
        .map_or_else(|| ident.unraw().to_string(), |name| name.value());
    let (private, version) = (options.private(), version?);
    problems.check(Kind {
        target,
        ident,
        name,
        version,
        mode: options.mode.clone(),
        reads: options.reads.clone(),
        private,
        methods,
    })
}

/// The type that the block is for.
fn target(block: &ItemImpl) -> syn::Result<syn::Path> {
    if let Some((_, path, _)) = &block.trait_ {
        let text = "`#[shared]` goes on the type's own `impl` block, not on that of a trait";
        return Err(Error::new_spanned(path, text));
    }
    if !block.generics.params.is_empty() {
        let text = "a shared object cannot be generic: its kind has one name and one encoding \
                    on every peer; share a concrete type that contains the generic one";
        return Err(Error::new_spanned(&block.generics, text));
    }
    let Type::Path(path) = &*block.self_ty else {
        return Err(Error::new_spanned(
            &block.self_ty,
            "a shared object is a struct or an enum",
        ));
    };
    match path.path.segments.last().map(|last| &last.arguments) {
        Some(PathArguments::AngleBracketed(arguments))
            if arguments
                .args
                .iter()
                .any(|one| !matches!(one, GenericArgument::Lifetime(_))) =>
        {
            let text = "a shared object cannot be generic: share a struct of your own that \
                        contains this type";
            Err(Error::new_spanned(arguments, text))
        }
        Some(PathArguments::AngleBracketed(arguments)) => Err(Error::new_spanned(
            arguments,
            "a shared object borrows nothing",
        )),
        _ => Ok(path.path.clone()),
    }
}

fn method(function: &ImplItemFn, target: &syn::Path, marks: &Marks) -> syn::Result<Method> {
    let signature = &function.sig;
    let receiver = receiver(signature)?;
    plain(signature)?;
    let mut inputs = signature.inputs.iter().skip(1).filter_map(typed).peekable();
    let context = inputs.peek().is_some_and(|first| is_context(first));
    let mut problems = Problems::default();
    let arguments: Vec<_> = inputs
        .skip(usize::from(context))
        .filter_map(|input| problems.keep(argument(input, target)))
        .collect();
    if arguments.len() > ARGUMENTS_MAX {
        let text = format!("a remote method has at most {ARGUMENTS_MAX} arguments: pass a struct");
        problems.add(Error::new(signature.ident.span(), text));
    }
    let returned = problems.keep(returned(&signature.output, target));
    let write = receiver.mutability.is_some();
    let deterministic = problems.keep(marks.deterministic(signature, write, context));
    let starts = |names: &[&str]| -> Vec<Attribute> {
        let wanted = |one: &&Attribute| names.iter().any(|name| one.path().is_ident(name));
        function.attrs.iter().filter(wanted).cloned().collect()
    };
    let method = Method {
        shown: starts(&["doc", "deprecated"]),
        conditions: starts(&["cfg"]),
        visibility: function.vis.clone(),
        ident: signature.ident.clone(),
        name: signature.ident.unraw().to_string(),
        write,
        body: Body::Method {
            asynchronous: signature.asyncness.is_some(),
            context,
            deterministic: deterministic.unwrap_or_default(),
        },
        arguments,
        returned: returned.unwrap_or_else(|| Returned::Value(Passing::Owned(parse_quote!(())))),
    };
    problems.check(method)
}

/// `&self` or `&mut self`.
fn receiver(signature: &Signature) -> syn::Result<&Receiver> {
    let Some(FnArg::Receiver(receiver)) = signature.inputs.first() else {
        let text = format!(
            "`{}` has no `self`, so it cannot be a remote method: mark it `#[local]`, or move it \
             to an `impl` block without `#[shared]`",
            signature.ident
        );
        return Err(Error::new(signature.ident.span(), text));
    };
    if receiver.reference.is_some() && receiver.colon_token.is_none() {
        return Ok(receiver);
    }
    let text = "a remote method takes `&self` (it reads) or `&mut self` (it writes): a shared \
                object stays where it is";
    Err(Error::new_spanned(receiver, text))
}

/// No generics, nothing unsafe.
fn plain(signature: &Signature) -> syn::Result<()> {
    if let Some(keyword) = &signature.unsafety {
        return Err(Error::new(
            keyword.span(),
            "a remote method cannot be `unsafe`",
        ));
    }
    if signature.generics.params.is_empty() {
        return Ok(());
    }
    let text = "a remote method cannot be generic: the peer that runs it cannot know the caller's \
                types";
    Err(Error::new_spanned(&signature.generics, text))
}

fn typed(input: &FnArg) -> Option<&PatType> {
    match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    }
}

fn is_context(input: &PatType) -> bool {
    referent(&input.ty).is_some_and(|(target, mutable)| !mutable && is_named(target, "Context"))
}

fn argument(input: &PatType, target: &syn::Path) -> syn::Result<Argument> {
    let Pat::Ident(pattern) = &*input.pat else {
        let text = "an argument of a remote method has a name: callers pass it by name";
        return Err(Error::new_spanned(&input.pat, text));
    };
    if referent(&input.ty).is_some_and(|(target, _)| is_named(target, "Context")) {
        let text = "the context is `&Context` and comes right after `self`";
        return Err(Error::new_spanned(&input.ty, text));
    }
    if has_lifetime(&input.ty) {
        let text = "an argument of a remote method lives as long as the call: leave the lifetime \
                    out";
        return Err(Error::new_spanned(&input.ty, text));
    }
    let mut declared = (*input.ty).clone();
    ReplaceSelf(target).visit_type_mut(&mut declared);
    let passing = Passing::of(&declared).map_err(|unsuitable| {
        let text = match unsuitable {
            Unsuitable::Mutable => {
                "an argument of a remote method is a copy: what the method changes in it, its \
                 caller does not see; return it instead"
            }
            Unsuitable::Unnamed => "the type of a remote method's argument has a name",
        };
        Error::new_spanned(&input.ty, text)
    })?;
    let ident = pattern.ident.clone();
    Ok(Argument {
        name: ident.unraw().to_string(),
        ident,
        declared,
        passing,
    })
}

fn returned(output: &ReturnType, target: &syn::Path) -> syn::Result<Returned> {
    let mut declared: Type = match output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, declared) => (**declared).clone(),
    };
    ReplaceSelf(target).visit_type_mut(&mut declared);
    if is_named(&declared, "Result") {
        return Ok(Returned::Fallible(declared));
    }
    let passing = Passing::of(&declared).map_err(|unsuitable| {
        let text = match unsuitable {
            Unsuitable::Mutable => "the result of a remote method is a copy: return the value",
            Unsuitable::Unnamed => "the type of a remote method's result has a name",
        };
        Error::new_spanned(&declared, text)
    })?;
    Ok(Returned::Value(passing))
}

fn getter(getter: &Getter) -> syn::Result<Method> {
    let Getter { field, declared } = getter;
    let passing = Passing::of(declared)
        .map_err(|_| Error::new_spanned(declared, "write the field's own type"))?;
    let text = format!(" The field `{}`.", field.unraw());
    Ok(Method {
        shown: vec![parse_quote!(#[doc = #text])],
        conditions: Vec::new(),
        visibility: Visibility::Public(Default::default()),
        ident: field.clone(),
        name: field.unraw().to_string(),
        write: false,
        body: Body::Field,
        arguments: Vec::new(),
        returned: Returned::Value(passing),
    })
}

/// No two methods with one id. Those that exist on a condition are checked where they exist.
fn distinct(methods: &[Method], problems: &mut Problems) {
    let mut known: BTreeMap<u32, &str> = BTreeMap::new();
    for method in methods.iter().filter(|method| method.conditions.is_empty()) {
        let Some(other) = known.insert(method.id(), &method.name) else {
            continue;
        };
        let text = if other == method.name {
            format!("two remote methods of this kind are called `{other}`")
        } else {
            format!(
                "`{}` and `{other}` have one method id: rename one of them",
                method.name
            )
        };
        problems.add(Error::new(method.ident.span(), text));
    }
}
