//! `sockleak completions`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::{printed, run};

#[test]
fn each_shell_has_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for part in ["sockleak", "capture", "check-config", "client-leak"] {
            assert!(script.contains(part), "{part} is not in the script for {shell}");
        }
        assert!(!script.contains("Answer HTTP"), "{shell} completes what only the service starts");
    }
    assert_eq!(run(&["completions", "tcsh"]).status.code(), Some(2));
}

/// Bash runs the script, and is asked what it would complete.
#[test]
fn bash_completes_by_it() {
    let script = printed(&["completions", "bash"]);
    let ask = r#"
COMP_WORDS=(sockleak explain cl); COMP_CWORD=2; COMP_LINE="sockleak explain cl"; COMP_POINT=${#COMP_LINE}
_sockleak sockleak cl explain
printf '%s\n' "${COMPREPLY[@]}"
"#;
    let mut bash = Command::new("bash");
    let bash = bash.arg("--norc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut bash = match bash {
        Ok(bash) => bash,
        Err(error) => return eprintln!("not tested: there is no bash ({error})"),
    };
    bash.stdin.take().unwrap().write_all(format!("{script}{ask}").as_bytes()).unwrap();
    let output = bash.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "client-leak\n");
}
