//! How the types of arguments and results are written, and what crosses the network for them.

use syn::visit_mut::{self, VisitMut};
use syn::{Path, Type, TypePath, TypeReference};

/// How a value crosses the network.
pub(crate) enum Passing {
    /// An owned value.
    Owned(Type),
    /// `&str`, decoded as a `String`.
    Text,
    /// `&[T]`, decoded as a `Vec<T>`; the type is `T`.
    Slice(Type),
    /// `&T`, decoded as a `T`; the type is `T`.
    Borrowed(Type),
}

/// Why a type cannot be that of an argument or a result.
pub(crate) enum Unsuitable {
    /// `&mut T`.
    Mutable,
    /// `impl Trait`.
    Unnamed,
}

impl Passing {
    /// How a value of this type crosses the network.
    pub(crate) fn of(declared: &Type) -> Result<Self, Unsuitable> {
        match ungrouped(declared) {
            Type::Reference(TypeReference {
                mutability: Some(_),
                ..
            }) => Err(Unsuitable::Mutable),
            Type::Reference(reference) => Ok(match ungrouped(&reference.elem) {
                Type::Path(path) if path.path.is_ident("str") => Self::Text,
                Type::Slice(slice) => Self::Slice((*slice.elem).clone()),
                other => Self::Borrowed(other.clone()),
            }),
            Type::ImplTrait(_) => Err(Unsuitable::Unnamed),
            other => Ok(Self::Owned(other.clone())),
        }
    }
}

/// The type without the invisible groups that `macro_rules` puts around it.
fn ungrouped(mut declared: &Type) -> &Type {
    while let Type::Group(group) = declared {
        declared = &group.elem;
    }
    declared
}

/// Whether the last segment of the type is `name`.
pub(crate) fn is_named(declared: &Type, name: &str) -> bool {
    let Type::Path(TypePath { path, .. }) = ungrouped(declared) else {
        return false;
    };
    path.segments
        .last()
        .is_some_and(|segment| segment.ident == name)
}

/// Whether the type is a reference with a lifetime of its own.
pub(crate) fn has_lifetime(declared: &Type) -> bool {
    matches!(
        ungrouped(declared),
        Type::Reference(TypeReference {
            lifetime: Some(_),
            ..
        })
    )
}

/// If the type is a reference, what it refers to and whether that may be changed.
pub(crate) fn referent(declared: &Type) -> Option<(&Type, bool)> {
    match ungrouped(declared) {
        Type::Reference(reference) => Some((&reference.elem, reference.mutability.is_some())),
        _ => None,
    }
}

/// Writes the user's type where `Self` would mean the proxy.
pub(crate) struct ReplaceSelf<'a>(pub(crate) &'a Path);

impl VisitMut for ReplaceSelf<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        visit_mut::visit_path_mut(self, path);
        if path
            .segments
            .first()
            .is_some_and(|segment| segment.ident == "Self")
        {
            let rest: Vec<_> = path.segments.iter().skip(1).cloned().collect();
            *path = self.0.clone();
            path.segments.extend(rest);
        }
    }
}
