//! Options of other programs for the same work, and what they are here.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options of timm's and Ultralytics' training commands, each with what says it here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("--aa", "--augment rand, or --augment trivial"),
    ("--amp", "--precision f16"),
    ("--auto-augment", "--augment rand, or --augment trivial"),
    ("--color-jitter", "--augment brightness=0.4,contrast=0.4,saturation=0.4"),
    ("--cos-lr", "--schedule cosine, which is the default of most models"),
    ("--cutmix", "--augment LEVEL,cutmix=1, with a level as medium before it"),
    ("--degrees", "--augment LEVEL,rotate=10"),
    ("--device-batch-size", "--batch-size"),
    ("--fliplr", "--augment LEVEL,flip=0.5"),
    ("--half", "--precision f16"),
    ("--hflip", "--augment LEVEL,flip=0.5"),
    ("--hsv_h", "--augment LEVEL,hue=0.015"),
    ("--input-size", "--size 64 and --channels 3"),
    ("--mixup", "--augment LEVEL,mixup=0.2, with a level as medium before it"),
    ("--model-ema", "--ema 0.999"),
    ("--num-classes", "nothing: the classes are those of the data"),
    ("--project", "--out DIR"),
    ("--ratio", "--augment LEVEL,scale=0.5"),
    ("--recount", "--augment LEVEL,erase=0.25"),
    ("--reprob", "--augment LEVEL,erase=0.25"),
    ("--scale", "--augment LEVEL,scale=0.5"),
    ("--shear", "--augment LEVEL,shear=5"),
    ("--time", "--time-limit MINUTES"),
    ("--translate", "--augment LEVEL,translate=0.1"),
    ("-b", "--batch-size"),
    ("-j", "--data-threads"),
];

/// What to write instead of an option that is none here, where another program has it.
pub fn instead(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return None };
    let (flag, here) = ELSEWHERE.iter().find(|(flag, _)| flag == given)?;
    Some(format!("{flag} is no option here; what it says elsewhere is {here}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cli;
    use clap::{CommandFactory, Parser};

    #[test]
    fn each_is_no_option_and_what_is_told_instead_is_one() {
        let train = Cli::command().find_subcommand("train").expect("there").clone();
        let options: Vec<String> =
            train.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
        for (flag, here) in ELSEWHERE {
            let error = Cli::try_parse_from(["chiaro", "train", flag, "1"]).err().expect("refused");
            let told = instead(&error).unwrap_or_else(|| panic!("{flag} has no hint: {error}"));
            assert!(told.contains(here), "{told}");
            let words = here.split([' ', ',']).filter(|word| word.starts_with("--"));
            for word in words {
                assert!(options.iter().any(|option| option == word), "{word} of {flag}");
            }
        }
        let error = Cli::try_parse_from(["chiaro", "train", "--nonesuch"]).err().expect("refused");
        assert_eq!(instead(&error), None);
    }

    #[test]
    fn changes_that_are_told_are_changes() {
        let words = ELSEWHERE.iter().flat_map(|(_, here)| here.split_whitespace()).filter(|word| word.contains('='));
        for word in words {
            let spec = word.trim_end_matches(',').replace("LEVEL", "light");
            // A light level has a flip already, which a word replaces.
            spec.parse::<chiaro::train::Augmentation>().unwrap_or_else(|error| panic!("{spec}: {error}"));
        }
    }
}
