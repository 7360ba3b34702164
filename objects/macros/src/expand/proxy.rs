//! The proxy: the same methods, each of which makes a call.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use crate::expand::parts;
use crate::model::{Argument, Kind, Method, Returned};
use crate::types::Passing;

/// The proxy type. It is public whatever the user's type is, because an attribute on an `impl`
/// block cannot see that; what its methods show is as visible as the user's methods.
pub(super) fn items(kind: &Kind) -> TokenStream {
    let Kind {
        target, private, ..
    } = kind;
    let proxy = parts::proxy(kind);
    let doc = format!(
        " A handle on a shared [`{}`], wherever it lives. Calls through it take effect in the \
         order made; a clone is another handle.",
        kind.ident
    );
    let methods = kind.methods.iter().map(|one| method(kind, one));
    quote! {
        #[doc = #doc]
        #[allow(dead_code, unreachable_pub)]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        pub struct #proxy {
            inner: #private::Handle,
        }

        #[automatically_derived]
        #[allow(
            dead_code,
            missing_docs,
            private_interfaces,
            unreachable_pub,
            unused_mut,
            clippy::all
        )]
        impl #proxy {
            #(#methods)*
        }

        #[automatically_derived]
        impl #private::Proxy<#target> for #proxy {
            fn from_handle(handle: #private::Handle) -> Self {
                Self { inner: handle }
            }

            fn handle(&self) -> &#private::Handle {
                &self.inner
            }
        }

        #[automatically_derived]
        impl ::core::convert::From<&#proxy> for #private::Ref<#target> {
            fn from(proxy: &#proxy) -> Self {
                #private::Proxy::reference(proxy)
            }
        }

        #[automatically_derived]
        impl ::core::convert::AsRef<#private::RawRef> for #proxy {
            fn as_ref(&self) -> &#private::RawRef {
                #private::Handle::reference(&self.inner)
            }
        }
    }
}

fn method(kind: &Kind, method: &Method) -> TokenStream {
    let private = &kind.private;
    let Method {
        shown,
        conditions,
        visibility,
        ident,
        arguments,
        ..
    } = method;
    let declared = arguments.iter().map(
        |Argument {
             ident, declared, ..
         }| { quote!(#ident: #declared) },
    );
    let description = parts::description(kind, method);
    let call = call(private, &method.returned);
    let encoder = Ident::new("encoder", Span::mixed_site());
    let encodes = arguments
        .iter()
        .map(|argument| encode(private, argument, &encoder));
    quote! {
        #(#shown)*
        #(#conditions)*
        #visibility fn #ident(&self, #(#declared),*) -> #call {
            static __METHOD: #private::Method = #description;
            let mut #encoder = #private::Encoder::new(&__METHOD);
            #(#encodes)*
            #private::Call::new(&self.inner, &__METHOD, #encoder)
        }
    }
}

/// Encodes an argument.
fn encode(private: &Path, argument: &Argument, encoder: &Ident) -> TokenStream {
    let Argument {
        ident,
        name,
        declared,
        passing,
    } = argument;
    let span = declared.span();
    match passing {
        Passing::Owned(owned) => {
            let passer = parts::passer(private, owned);
            quote_spanned!(span=> #private::Encoder::value(&mut #encoder, #passer, #name, &#ident);)
        }
        Passing::Borrowed(owned) => {
            let passer = parts::passer(private, owned);
            quote_spanned!(span=> #private::Encoder::value(&mut #encoder, #passer, #name, #ident);)
        }
        Passing::Text => {
            quote_spanned!(span=> #private::Encoder::text(&mut #encoder, #name, #ident);)
        }
        Passing::Slice(element) => {
            let passer = parts::passer(private, element);
            quote_spanned!(span=> #private::Encoder::slice(&mut #encoder, #passer, #name, #ident);)
        }
    }
}

/// The type of the call.
fn call(private: &Path, returned: &Returned) -> TokenStream {
    match returned {
        Returned::Value(Passing::Owned(owned) | Passing::Borrowed(owned)) => {
            quote!(#private::Call<#owned>)
        }
        Returned::Value(Passing::Text) => quote!(#private::Call<#private::String>),
        Returned::Value(Passing::Slice(element)) => {
            quote!(#private::Call<#private::Vec<#element>>)
        }
        Returned::Fallible(result) => {
            let (value, error) = parts::projections(private, result);
            quote!(#private::Call<#value, #error>)
        }
    }
}
