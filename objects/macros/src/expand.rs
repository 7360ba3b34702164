//! The code that the attribute writes.

mod dispatch;
mod object;
mod parts;
mod proxy;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Item, ItemImpl};

use crate::model::Kind;
use crate::options::Options;
use crate::parse;

/// The block as the user wrote it, and what makes its type a shared object; or the block and
/// what is wrong with it.
pub(crate) fn shared(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut block = match block(item.clone()) {
        Ok(block) => block,
        Err(problem) => return with_problem(item, &problem),
    };
    let kind =
        syn::parse2::<Options>(options).and_then(|options| parse::kind(&options, &mut block));
    match kind {
        Ok(kind) => {
            let generated = kind_items(&kind);
            quote!(#block #generated)
        }
        Err(problem) => with_problem(&block, &problem),
    }
}

fn block(item: TokenStream) -> syn::Result<ItemImpl> {
    match syn::parse2(item)? {
        Item::Impl(block) => Ok(block),
        other => {
            let text = "`#[shared]` goes on the `impl` block whose methods are to be remote";
            Err(Error::new_spanned(other, text))
        }
    }
}

fn with_problem(item: &impl ToTokens, problem: &Error) -> TokenStream {
    let problem = problem.to_compile_error();
    quote!(#item #problem)
}

fn kind_items(kind: &Kind) -> TokenStream {
    let proxy = proxy::items(kind);
    let object = object::items(kind);
    quote!(#proxy #object)
}
