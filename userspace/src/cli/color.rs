//! Whether output has colours.

use sockleak_core::choices;

choices! {
    /// When text has colours.
    #[derive(Debug, Default)]
    pub enum ColorWhen {
        /// On a terminal, unless NO_COLOR is set or TERM is dumb.
        #[default]
        Auto = "auto",
        /// Always, in files and pipes too.
        Always = "always",
        /// Never.
        Never = "never",
    }
}
