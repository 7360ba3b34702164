//! The implementation of `SharedObject`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::expand::{dispatch, parts};
use crate::model::Kind;

/// The trait implementations for the user's type.
pub(super) fn items(kind: &Kind) -> TokenStream {
    let Kind {
        target,
        name,
        version,
        private,
        ..
    } = kind;
    let proxy = parts::proxy(kind);
    let dispatch = dispatch::function(kind);
    let methods = kind.methods.iter().map(|one| {
        let conditions = &one.conditions;
        let method = parts::description(kind, one);
        quote!(#(#conditions)* #method)
    });
    let mode = kind
        .mode
        .as_ref()
        .map(|mode| quote!(const MODE: #private::Mode = #private::Mode::#mode;));
    let reads = kind
        .reads
        .as_ref()
        .map(|reads| quote!(const READS: #private::Reads = #private::Reads::#reads;));
    let state = quote_spanned!(target.span()=> #private::state_codec::<#target>());
    quote! {
        #[automatically_derived]
        impl #private::Callable for #target {
            type Proxy = #proxy;
        }

        #[automatically_derived]
        #[allow(deprecated, unused_variables, unused_mut, clippy::all)]
        impl #private::SharedObject for #target {
            const KIND: &'static str = #name;
            const VERSION: u32 = #version;
            #mode
            #reads
            const STATE: #private::StateCodec<Self> = #state;
            const METHODS: &'static [#private::Method] = &[#(#methods),*];

            #dispatch
        }

        const _: () = #private::assert_distinct(<#target as #private::SharedObject>::METHODS);
    }
}
