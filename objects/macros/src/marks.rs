//! The attributes on methods that belong to `#[shared]`.

use syn::spanned::Spanned;
use syn::{Attribute, Error, ImplItem, ImplItemFn, ItemImpl, Signature};

/// What a method is marked with.
#[derive(Default)]
pub(crate) struct Marks {
    /// `#[local]`: it is no remote method.
    pub(crate) local: bool,
    /// `#[deterministic]`: backups may run it again instead of being sent what it made.
    pub(crate) deterministic: Option<Attribute>,
}

/// Takes the marks off; says for each item which ones it had.
pub(crate) fn take(block: &mut ItemImpl) -> Vec<Marks> {
    let marks = |item: &mut ImplItem| match item {
        ImplItem::Fn(function) => of(function),
        _ => Marks::default(),
    };
    block.items.iter_mut().map(marks).collect()
}

fn of(function: &mut ImplItemFn) -> Marks {
    let mut marks = Marks::default();
    function.attrs.retain(|attribute| {
        if attribute.path().is_ident("local") {
            marks.local = true;
        } else if attribute.path().is_ident("deterministic") {
            marks.deterministic = Some(attribute.clone());
        } else {
            return true;
        }
        false
    });
    marks
}

impl Marks {
    /// Whether the method is declared deterministic, and can be. `writes`: it takes `&mut self`;
    /// `context`: it takes a context.
    pub(crate) fn deterministic(
        &self,
        signature: &Signature,
        writes: bool,
        context: bool,
    ) -> syn::Result<bool> {
        let Some(mark) = &self.deterministic else {
            return Ok(false);
        };
        mark.meta.require_path_only()?;
        let name = &signature.ident;
        if let Some(keyword) = &signature.asyncness {
            let text = format!(
                "`{name}` is `#[deterministic]` and `async`: a backup runs a deterministic method \
                 again, alone and at once, so it cannot wait for anything"
            );
            return Err(Error::new(keyword.span(), text));
        }
        if context {
            let text = format!(
                "`{name}` is `#[deterministic]` and takes a context: time, randomness, caller and \
                 other objects are not the same on every replica; pass what it needs as arguments"
            );
            return Err(Error::new(name.span(), text));
        }
        if !writes {
            let text = format!(
                "`{name}` is `#[deterministic]` and takes `&self`: a read changes nothing that a \
                 backup would run again; leave the attribute out"
            );
            return Err(Error::new_spanned(mark, text));
        }
        Ok(true)
    }

    /// A local method is not shipped at all.
    pub(crate) fn check_local(&self, name: &syn::Ident) -> syn::Result<()> {
        match &self.deterministic {
            Some(mark) if self.local => {
                let text = format!(
                    "`{name}` is `#[local]`: only a remote method can be `#[deterministic]`"
                );
                Err(Error::new(mark.span(), text))
            }
            _ => Ok(()),
        }
    }
}
