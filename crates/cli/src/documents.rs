//! What the documents say of the commands is what the program takes.

#[path = "../tests/common/blocks.rs"]
mod blocks;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::Cli;
use blocks::{documents, repository, spans};

const PAGE: &str = "docs/book/src/reference/commands.md";
/// Where it is set, the page of commands is written instead of compared.
const WRITE: &str = "CHIARO_WRITE_COMMANDS";

/// The page of commands: what `--help` says of each.
fn page() -> String {
    let mut text = "# Commands\n\nMade from the program, which says the same: `chiaro COMMAND --help`. The options of `chiaro train` that are settings of a run stand with their other \
                    spellings in [Settings](settings.md).\n"
        .to_string();
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        let help =
            Cli::try_parse_from(["chiaro", name, "--help"]).err().map(|help| help.to_string()).expect("its help");
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        text += &format!("\n## chiaro {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    }
    text
}

/// The commands of a line of a shell: words between pipes and `&&`, without comments and what stands behind `>`.
fn commands(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_else(|| panic!("quotes that do not end: {line}"));
    let between = words.split(|word| ["|", "&&", ";"].contains(&word.as_str()));
    between.map(|words| words.iter().take_while(|word| !word.starts_with('>')).cloned().collect()).collect()
}

/// The words behind `chiaro`, where a command is one of the program's: variables may stand before it.
fn of_the_program(command: &[String]) -> Option<Vec<String>> {
    let variables = command.iter().take_while(|word| word.contains('=')).count();
    let command = &command[variables..];
    let cargo = ["cargo", "run", "--release", "--"];
    let rest = match command.first()?.as_str() {
        "chiaro" => &command[1..],
        _ if command.len() >= cargo.len() && command[..cargo.len()] == cargo => &command[cargo.len()..],
        _ => return None,
    };
    Some(rest.to_vec())
}

/// Why the program does not take these words.
fn refused(words: &[String]) -> Option<clap::Error> {
    let error = Cli::try_parse_from([&["chiaro".to_string()], words].concat()).err()?;
    (!matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)).then_some(error)
}

/// Whether more words could make a command that is refused so one that is taken.
fn lacks_words(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::InvalidValue)
}

#[test]
fn the_page_of_commands_is_what_the_program_says() {
    let path = repository().join(PAGE);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, page()).expect("written");
    }
    let there = std::fs::read_to_string(path).expect("the page").replace("\r\n", "\n");
    let anew = format!("make it anew: {WRITE}=1 cargo test --release -p chiaro-cli --bin chiaro page_of_commands");
    assert!(there == page(), "{anew}");
}

#[test]
fn every_command_in_the_documents_is_one_that_the_program_takes() {
    let (mut count, mut wrong) = (0, vec![]);
    for (name, text) in documents() {
        let lines = blocks::blocks(&text, "sh").join("").replace("\\\n", " ");
        for command in lines.lines().flat_map(commands).filter_map(|command| of_the_program(&command)) {
            count += 1;
            wrong.extend(refused(&command).map(|why| format!("{name}: chiaro {}: {why}", command.join(" "))));
        }
    }
    assert!(count > 100, "only {count} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_within_the_text_of_documents_are_there() {
    let mut wrong = vec![];
    for (name, text) in documents().into_iter().filter(|(name, _)| name != PAGE) {
        // `chiaro COMMAND` stands for all of them.
        let is_one = |span: &String| span.starts_with("chiaro ") && !span.starts_with("chiaro COMMAND");
        for span in spans(&text).into_iter().filter(is_one) {
            let all = commands(&span).iter().filter_map(|command| of_the_program(command)).collect::<Vec<_>>();
            let why = all.iter().filter_map(|words| refused(words)).find(|error| !lacks_words(error));
            wrong.extend(why.map(|why| format!("{name}: {span}: {why}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_are_found_behind_pipes_comments_and_variables() {
    let found = |line: &str| commands(line).iter().filter_map(|command| of_the_program(command)).collect::<Vec<_>>();
    let wanted = [["predict", "a b", "-"].map(String::from).to_vec()];
    assert_eq!(found("find . -print0 | chiaro predict 'a b' - > classes.jsonl   # (chiaro x)"), wanted);
    assert_eq!(found("A=1 cargo run --release -- train"), [["train".to_string()]]);
    assert!(found("cargo xtask test").is_empty());
    let refusal = |words: &[&str]| refused(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert!(refusal(&["train", "--nonesuch"]).is_some_and(|error| !lacks_words(&error)));
    assert!(refusal(&["nonesuch"]).is_some_and(|error| !lacks_words(&error)));
    assert!(refusal(&["train", "--resume"]).is_some_and(|error| lacks_words(&error)));
    assert!(refusal(&["train", "--epochs", "2"]).is_none());
}
