//! Settings that are one of a few names: on a command line, in a configuration file and in a question by HTTP they read the same.

/// One of a few named values. [`choices!`](crate::choices) declares such an enum.
pub trait Choice: Copy + PartialEq + Send + Sync + 'static {
    /// All of them, in the order in which they are offered.
    const ALL: &'static [Self];

    /// The name, as users write it.
    fn name(self) -> &'static str;

    /// What it means, in a line without the dot.
    fn help(self) -> &'static str;

    /// The value of this name; None if there is no such.
    #[must_use]
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }

    /// All names.
    fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|it| it.name())
    }
}

/// Declares an enum whose values have names. The first line of a value's documentation is its help; it ends with a dot.
///
/// ```
/// use sockleak_core::choice::Choice as _;
///
/// sockleak_core::choices! {
///     /// How loud.
///     #[derive(Debug, Default)]
///     pub enum Volume {
///         /// No sound.
///         #[default]
///         Mute = "mute",
///         /// As loud as it can be.
///         Full = "full",
///     }
/// }
///
/// assert_eq!(Volume::named("full"), Some(Volume::Full));
/// assert_eq!(Volume::Mute.help(), "No sound");
/// assert_eq!(Volume::default().to_string(), "mute");
/// ```
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $(#[doc = $first:literal] $(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        $vis enum $name {
            $(#[doc = $first] $(#[$variant_meta])* $variant,)+
        }

        impl $crate::choice::Choice for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            fn help(self) -> &'static str {
                let line = match self {
                    $(Self::$variant => $first,)+
                };
                line.trim().trim_end_matches('.')
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::choice::Choice::name(*self))
            }
        }
    };
}
