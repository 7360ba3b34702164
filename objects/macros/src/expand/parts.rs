//! Pieces of code that several of the others need.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Path, Type};

use crate::model::{Kind, Method};

/// The name of the proxy type.
pub(super) fn proxy(kind: &Kind) -> Ident {
    format_ident!("{}Proxy", kind.ident)
}

/// An expression for what is known of a method without its types.
pub(super) fn description(kind: &Kind, method: &Method) -> TokenStream {
    let private = &kind.private;
    let Method { name, write, .. } = method;
    let asynchronous = method.asynchronous();
    let arguments = method.arguments.iter().map(|argument| &argument.name);
    let plain = quote!(#private::Method::new(#name, #write, #asynchronous, &[#(#arguments),*]));
    if method.deterministic() {
        quote!(#private::Method::deterministic(#plain))
    } else {
        plain
    }
}

/// The value and the error of a type named `Result`, whatever it is an alias of.
pub(super) fn projections(private: &Path, result: &Type) -> (TokenStream, TokenStream) {
    let of = |part: &str| {
        let part = Ident::new(part, result.span());
        quote_spanned!(result.span()=> <#result as #private::Fallible>::#part)
    };
    (of("Value"), of("Error"))
}

/// An expression for how values of a type cross the network. It has the span of the type, where
/// a misuse belongs, and is the same wherever the type is used, so that it is reported once.
pub(super) fn passer(private: &Path, crossing: &Type) -> TokenStream {
    quote_spanned!(crossing.span()=> #private::passer::<#crossing>())
}
