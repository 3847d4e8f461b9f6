//! The kernel's functions, as aya looks them up: it asks type information for the id of a function by its name.

use aya_obj::btf::{Btf, BtfType, Func, FuncLinkage};

/// Type information that has functions alone, of those names, under the ids that the kernel knows them by. aya's own reading of
/// the kernel's takes a tenth of a second on a slow machine, and makes an object of each of its hundred thousand types.
pub(super) fn functions<'a>(types: &sockleak_btf::Btf, names: impl Iterator<Item = &'a str>) -> Btf {
    let mut known: Vec<(u32, &str)> =
        names.filter_map(|name| types.function(name).map(|id| (id, name))).collect();
    known.sort_unstable();
    known.dedup();
    let mut functions = Btf::new();
    // Ids count from 1: 0 is `void`.
    let mut next = 1;
    for (id, name) in known {
        for _ in next..id {
            functions.add_type(BtfType::Unknown);
        }
        let name = functions.add_string(name);
        next = functions.add_type(BtfType::Func(Func::new(name, 0, FuncLinkage::Global))) + 1;
    }
    functions
}

#[cfg(test)]
mod tests {
    use aya_obj::btf::BtfKind;
    use sockleak_btf::{BtfError, sample::sample};

    use super::*;

    #[test]
    fn functions_keep_their_ids() -> Result<(), BtfError> {
        let types = sockleak_btf::Btf::parse(sample().build())?;
        let functions = functions(&types, ["f", "missing", "f"].into_iter());
        assert_eq!(functions.id_by_type_name_kind("f", BtfKind::Func).ok(), types.function("f"));
        assert!(types.function("f").is_some());
        assert!(functions.id_by_type_name_kind("missing", BtfKind::Func).is_err());
        Ok(())
    }
}
