//! Errors that are strings: `Result<_, String>`, and `type Err = String` of a trait. Nobody can tell such errors apart.

use syn::{GenericArgument, ImplItemType, Path, PathArguments, Type};

/// Whether a path is a `Result` with a string for its error.
pub(super) fn is_result(path: &Path) -> bool {
    let Some(last) = path.segments.last().filter(|last| last.ident == "Result") else { return false };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(kind) => Some(kind),
        _ => None,
    });
    types.nth(1).is_some_and(is_string)
}

/// Whether an item of an `impl` gives a trait a string for its error.
pub(super) fn is_associated(item: &ImplItemType) -> bool {
    (item.ident == "Err" || item.ident == "Error") && is_string(&item.ty)
}

fn is_string(kind: &Type) -> bool {
    matches!(kind, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "String"))
}
