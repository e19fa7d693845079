//! Completions in the shells themselves; a shell that is not there is told and left out.

mod common;

use std::fs;
use std::process::Command;

use common::{arg, expect};

/// What a shell says to a script that is given the file of completions; `None` where there is no such shell.
fn answer(shell: &str, options: &[&str], script: &str) -> Option<String> {
    if Command::new(shell).args(["-c", "true"]).output().is_err() {
        eprintln!("skipped: there is no {shell}");
        return None;
    }
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("completions");
    fs::write(&file, expect(0, &["completions", shell]).0).expect("a file");
    let script = script.replace("FILE", arg(&file));
    let mut command = Command::new(shell);
    let output = command.args(options).args(["-c", &script]).env("HOME", root.path()).env("TERM", "dumb").output();
    let output = output.expect("a shell");
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{shell}: {out}\n{err}");
    Some(out)
}

#[test]
fn bash_completes_a_subcommand_and_an_option() {
    let script = "source FILE\nasked() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=();
        _chiaro chiaro \"${COMP_WORDS[$COMP_CWORD]}\" \"${COMP_WORDS[$COMP_CWORD - 1]}\"; echo \"${COMPREPLY[@]}\"; }
        asked chiaro tra; asked chiaro train --batch-s";
    let Some(out) = answer("bash", &["--norc"], script) else { return };
    assert_eq!(out.lines().collect::<Vec<_>>(), ["train", "--batch-size"]);
}

#[test]
fn fish_completes_a_subcommand_and_an_option_with_what_they_are_for() {
    let script = "source FILE; complete -C'chiaro tra'; complete -C'chiaro train --batch-s'";
    let Some(out) = answer("fish", &["--no-config"], script) else { return };
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("train\tTrain a model"), "{out}");
    assert!(lines[1].starts_with("--batch-size\tImages a step"), "{out}");
}

/// A terminal of zsh's own, in which someone types an option's beginning and the tab key.
const TYPED: &str = r#"
zmodload zsh/zpty || exit 3
zpty -b typed zsh -f -i
zpty -w typed "autoload -Uz compinit; compinit -u -D; source FILE; echo re''ady"
wait_for() { out=; repeat 600; do zpty -r -t typed line && out+=$line; [[ $out == *$1* ]] && return; sleep 0.1; done }
wait_for ready
zpty -w -n typed $'chiaro train --batch-s\t'
wait_for --batch-size
print -r -- $out
zpty -d typed
"#;

#[test]
fn zsh_completes_an_option_that_someone_types() {
    let Some(out) = answer("zsh", &["-f"], TYPED) else { return };
    assert!(out.contains("chiaro train --batch-size"), "{out:?}");
}
