//! The dispatcher: decodes the arguments, runs the method, encodes what it returned.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use crate::expand::parts;
use crate::model::{Argument, Body, Kind, Method, Returned};
use crate::types::Passing;

/// The function `SharedObject::dispatch`.
pub(super) fn function(kind: &Kind) -> TokenStream {
    let private = &kind.private;
    let arms = kind.methods.iter().map(|method| arm(private, method));
    quote! {
        fn dispatch<'servant>(
            &'servant mut self,
            mut arguments: #private::Arguments<'_>,
            cx: &'servant #private::Context,
        ) -> #private::Dispatch<'servant> {
            let codec = #private::Arguments::codec(&arguments);
            let method = #private::Arguments::method(&arguments);
            match method.id.0 {
                #(#arms)*
                _ => #private::Dispatch::unknown(
                    <Self as #private::SharedObject>::KIND,
                    method,
                ),
            }
        }
    }
}

fn arm(private: &Path, method: &Method) -> TokenStream {
    let Method {
        ident,
        conditions,
        arguments,
        ..
    } = method;
    let id = method.id();
    let locals: Vec<_> = (0..arguments.len())
        .map(|index| format_ident!("argument_{index}"))
        .collect();
    let takes = arguments.iter().enumerate().zip(&locals);
    let takes = takes.map(|((index, argument), local)| take(private, index, argument, local));
    let passed = arguments
        .iter()
        .zip(&locals)
        .map(|(argument, local)| match argument.passing {
            Passing::Owned(_) => quote!(#local),
            Passing::Text | Passing::Slice(_) | Passing::Borrowed(_) => quote!(&#local),
        });
    let reply = reply(private, &method.returned);
    let ending = match method.body {
        Body::Field => quote! {
            let returned = &self.#ident;
            #private::Dispatch::Done(#reply)
        },
        Body::Method {
            asynchronous,
            context,
            ..
        } => {
            let context = context.then(|| quote!(cx,));
            let call = quote_spanned!(ident.span()=> Self::#ident);
            let call = quote!(#call(self, #context #(#passed),*));
            if asynchronous {
                let running = quote_spanned!(ident.span()=> #private::Dispatch::running);
                quote! {
                    #running(async move {
                        let returned = #call.await;
                        #reply
                    })
                }
            } else {
                quote! {
                    let returned = #call;
                    #private::Dispatch::Done(#reply)
                }
            }
        }
    };
    quote! {
        #(#conditions)*
        #id => {
            #(#takes)*
            #ending
        }
    }
}

/// Decodes an argument.
fn take(private: &Path, index: usize, argument: &Argument, local: &Ident) -> TokenStream {
    let taken = match &argument.passing {
        Passing::Owned(owned) | Passing::Borrowed(owned) => {
            let passer = parts::passer(private, owned);
            quote!(#private::Arguments::take(&mut arguments, #passer, #index))
        }
        Passing::Text => quote!(#private::Arguments::take_text(&mut arguments, #index)),
        Passing::Slice(element) => {
            let passer = parts::passer(private, element);
            quote!(#private::Arguments::take_list(&mut arguments, #passer, #index))
        }
    };
    quote! {
        let #local = match #taken {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(cause) => return #private::Dispatch::refused(cause),
        };
    }
}

/// Encodes what the method returned, bound as `returned`.
fn reply(private: &Path, returned: &Returned) -> TokenStream {
    match returned {
        Returned::Value(Passing::Owned(owned)) => {
            let passer = parts::passer(private, owned);
            quote!(#private::Reply::value(codec, #passer, &returned))
        }
        Returned::Value(Passing::Borrowed(owned)) => {
            let passer = parts::passer(private, owned);
            quote!(#private::Reply::value(codec, #passer, returned))
        }
        Returned::Value(Passing::Text) => quote!(#private::Reply::text(codec, returned)),
        Returned::Value(Passing::Slice(element)) => {
            let passer = parts::passer(private, element);
            quote!(#private::Reply::slice(codec, #passer, returned))
        }
        Returned::Fallible(result) => {
            let (value, error) = parts::projections(private, result);
            let value = quote_spanned!(result.span()=> #private::passer::<#value>());
            let error = quote_spanned!(result.span()=> #private::passer::<#error>());
            quote! {
                match #private::Fallible::into_result(returned) {
                    ::core::result::Result::Ok(value) => {
                        #private::Reply::value(codec, #value, &value)
                    }
                    ::core::result::Result::Err(error) => {
                        #private::Reply::error(codec, #error, &error)
                    }
                }
            }
        }
    }
}
