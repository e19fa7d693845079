//! The data sets that are known by name, with their files, sizes and SHA-256. The figures of MNIST and CIFAR are those of the files
//! that their authors publish; TensorFlow Datasets and others list the same.

use std::path::{Path, PathBuf};

use crate::FetchError;
use crate::file::{Progress, RemoteFile, fetch_file};
use crate::unpack::unpack;

/// A data set that is known by name.
#[derive(Debug, Clone, Copy)]
pub struct NamedSet {
    /// The name.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// What it is, in a few words.
    pub about: &'static str,
    /// What is downloaded.
    pub files: &'static [RemoteFile<'static>],
    /// What is taken out of the downloaded archive; nothing where the files are as they are used.
    pub contents: &'static [&'static str],
    /// What is written beside them: name and content.
    pub beside: &'static [(&'static str, &'static str)],
}

/// A file of two places.
macro_rules! file {
    ($name:literal, $bytes:literal, $sha256:literal, $($place:literal),+) => {
        RemoteFile { name: $name, bytes: $bytes, sha256: Some($sha256), urls: &[$(concat!($place, $name)),+] }
    };
}

/// The data sets that are known by name.
pub static NAMED: &[NamedSet] = &[
    NamedSet {
        name: "mnist",
        aliases: &[],
        about: "60,000 and 10,000 digits of 28x28, 12 MB",
        files: &[
            file!(
                "train-images-idx3-ubyte.gz",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/"
            ),
            file!(
                "train-labels-idx1-ubyte.gz",
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/"
            ),
            file!(
                "t10k-images-idx3-ubyte.gz",
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/"
            ),
            file!(
                "t10k-labels-idx1-ubyte.gz",
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/"
            ),
        ],
        contents: &[],
        beside: &[],
    },
    NamedSet {
        name: "fashion-mnist",
        aliases: &["fashion", "fashionmnist"],
        about: "60,000 and 10,000 pieces of clothing of 28x28, 31 MB",
        files: &[
            file!(
                "train-images-idx3-ubyte.gz",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
            ),
            file!(
                "train-labels-idx1-ubyte.gz",
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
            ),
            file!(
                "t10k-images-idx3-ubyte.gz",
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
            ),
            file!(
                "t10k-labels-idx1-ubyte.gz",
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
            ),
        ],
        contents: &[],
        beside: &[(
            "classes.txt",
            "T-shirt\nTrouser\nPullover\nDress\nCoat\nSandal\nShirt\nSneaker\nBag\nAnkle boot\n",
        )],
    },
    NamedSet {
        name: "cifar10",
        aliases: &["cifar-10"],
        about: "50,000 and 10,000 photos of 32x32 in 10 classes, 170 MB",
        files: &[file!(
            "cifar-10-binary.tar.gz",
            170052171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            "https://www.cs.toronto.edu/~kriz/"
        )],
        contents: &[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
            "test_batch.bin",
            "batches.meta.txt",
        ],
        beside: &[],
    },
    NamedSet {
        name: "cifar100",
        aliases: &["cifar-100"],
        about: "50,000 and 10,000 photos of 32x32 in 100 classes, 169 MB",
        files: &[file!(
            "cifar-100-binary.tar.gz",
            168513733,
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            "https://www.cs.toronto.edu/~kriz/"
        )],
        contents: &["train.bin", "test.bin", "fine_label_names.txt"],
        beside: &[],
    },
];

/// The data set of this name.
pub fn named(name: &str) -> Option<&'static NamedSet> {
    NAMED.iter().find(|set| [set.name].iter().chain(set.aliases).any(|known| known.eq_ignore_ascii_case(name)))
}

impl NamedSet {
    /// The folder of the set below `caches`, with all its files in it: what is missing is downloaded, unless `offline`.
    ///
    /// # Errors
    /// [`FetchError`] says what could not be had and what to do.
    pub fn fetch(&self, caches: Option<&Path>, offline: bool, progress: Progress<'_>) -> Result<PathBuf, FetchError> {
        let folder = caches.ok_or(FetchError::NoFolder { name: self.name })?.join("sets").join(self.name);
        let used: Vec<&str> = match self.contents {
            [] => self.files.iter().map(|file| file.name).collect(),
            contents => contents.to_vec(),
        };
        let missing = |name: &&&str| !folder.join(name).is_file();
        if used.iter().any(|name| missing(&name)) {
            let archived = self.files.iter().all(|file| folder.join(file.name).is_file());
            if offline && !archived {
                let files = used.iter().filter(missing).map(|name| (*name).to_string()).collect();
                return Err(FetchError::Offline { name: self.name, folder, files });
            }
            for file in self.files {
                let path = fetch_file(file, &folder, progress)?;
                if !self.contents.is_empty() {
                    unpack(&path, self.contents, &folder).map_err(|cause| FetchError::io(&path, cause))?;
                    // Its content is here: the archive is as large again. That it stays harms nothing.
                    let _ = std::fs::remove_file(path);
                }
            }
        }
        for (name, content) in self.beside {
            let path = folder.join(name);
            if !path.is_file() {
                std::fs::write(&path, content).map_err(|cause| FetchError::io(&path, cause))?;
            }
        }
        Ok(folder)
    }
}
