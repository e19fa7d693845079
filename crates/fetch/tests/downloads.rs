//! Downloads from a server of this test, which cuts, lies and knows no ranges.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use chiaro_fetch::{FetchError, NamedSet, RemoteFile, fetch_file, named, pretrained};
use sha2::{Digest, Sha256};

/// A server that answers each request as it is told: it gets the number of the request and the first byte that is asked for.
fn server(answer: impl Fn(usize, usize, &mut TcpStream) + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/file", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(vec![]));
    let heard = Arc::clone(&asked);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            let (mut text, mut byte) = (String::new(), [0]);
            while !text.ends_with("\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                text.push(byte[0] as char);
            }
            let range = text
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("range: bytes=")?.trim_end_matches('-').parse::<usize>().ok());
            heard.lock().expect("unpoisoned").push(range.map_or("all".to_string(), |first| format!("from {first}")));
            answer(number, range.unwrap_or(0), &mut stream);
        }
    });
    (url, asked)
}

fn content() -> Vec<u8> {
    (0..100_000u32).map(|i| ((i * 7919) >> 5) as u8).collect()
}

fn whole(stream: &mut TcpStream, bytes: &[u8]) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
    // Whoever has gone away in the middle is what the test is about.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(bytes));
}

fn rest(stream: &mut TcpStream, bytes: &[u8], first: usize, most: usize) {
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{}/{}\r\nConnection: close\r\n\r\n",
        bytes.len() - first,
        bytes.len() - 1,
        bytes.len()
    );
    let end = bytes.len().min(first.saturating_add(most));
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes[first..end]));
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn file(urls: &[&str], bytes: &[u8]) -> RemoteFile<'static> {
    let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let urls = urls.iter().map(|url| leaked((*url).to_string())).collect::<Vec<_>>();
    RemoteFile { name: "file.bin", bytes: bytes.len() as u64, sha256: Some(leaked(sha256)), urls: Vec::leak(urls) }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_download_that_is_cut_goes_on_where_it_ended() {
    let bytes = content();
    let sent = bytes.clone();
    let (url, asked) = server(move |_, first, stream| match first {
        0 => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&sent[..40_000]));
        }
        first => rest(stream, &sent, first, 45_000),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let mut told = vec![];
    let mut tell = |_: &str, done: u64, of: u64| told.push((done, of));
    let path = fetch_file(&file(&[&url], &bytes), folder.path(), &mut tell).expect("fetched");
    assert!(std::fs::read(path).expect("read") == bytes);
    assert_eq!(*asked.lock().expect("unpoisoned"), ["all", "from 40000", "from 85000"]);
    assert_eq!(told.last(), Some(&(100_000, 100_000)));
    assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0), "{told:?}");
    assert_eq!(names(folder.path()), ["file.bin"]);
}

#[test]
fn what_a_run_before_left_is_gone_on_with_and_a_whole_file_is_not_asked_for() {
    let bytes = content();
    let sent = bytes.clone();
    let (url, asked) = server(move |_, first, stream| rest(stream, &sent, first, usize::MAX));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file.bin.part"), &bytes[..60_000]).expect("written");
    for _ in 0..2 {
        let path = fetch_file(&file(&[&url], &bytes), folder.path(), &mut |_, _, _| {}).expect("fetched");
        assert!(std::fs::read(path).expect("read") == bytes);
    }
    assert_eq!(*asked.lock().expect("unpoisoned"), ["from 60000"]);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let bytes = content();
    let sent = bytes.clone();
    let (url, asked) = server(move |_, _, stream| whole(stream, &sent));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file.bin.part"), b"something else").expect("written");
    let path = fetch_file(&file(&[&url], &bytes), folder.path(), &mut |_, _, _| {}).expect("fetched");
    assert!(std::fs::read(path).expect("read") == bytes);
    assert_eq!(*asked.lock().expect("unpoisoned"), ["from 14"]);
}

#[test]
fn a_file_that_is_another_is_refused_and_the_next_address_asked() {
    let bytes = content();
    let (mut lie, sent) = (bytes.clone(), bytes.clone());
    lie[5] ^= 1;
    let (liar, _) = server(move |_, _, stream| whole(stream, &lie));
    let (honest, _) = server(move |_, _, stream| whole(stream, &sent));
    let folder = tempfile::tempdir().expect("a folder");
    let error = fetch_file(&file(&[&liar], &bytes), folder.path(), &mut |_, _, _| {}).expect_err("refused");
    assert!(matches!(error, FetchError::WrongHash { .. }), "{error}");
    assert!(error.to_string().contains("is not the published file: its SHA-256 is "), "{error}");
    assert!(names(folder.path()).is_empty());
    let path = fetch_file(&file(&[&liar, &honest], &bytes), folder.path(), &mut |_, _, _| {}).expect("fetched");
    assert!(std::fs::read(path).expect("read") == bytes);
}

#[test]
fn an_endless_answer_fills_no_disk_and_none_is_told() {
    let bytes = content();
    let (endless, _) = server(|_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    let (refusing, _) = server(|_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let folder = tempfile::tempdir().expect("a folder");
    let error = fetch_file(&file(&[&endless], &bytes), folder.path(), &mut |_, _, _| {}).expect_err("refused");
    assert!(matches!(error, FetchError::WrongHash { .. }), "{error}");
    let gone = "http://127.0.0.1:1/file";
    let error = fetch_file(&file(&[&refusing, gone], &bytes), folder.path(), &mut |_, _, _| {}).expect_err("refused");
    let text = error.to_string();
    assert!(text.contains("404") && text.contains(gone) && !text.contains("kept"), "{text}");
}

#[test]
fn a_part_is_told_as_kept_only_where_something_has_come() {
    let bytes = content();
    let sent = bytes.clone();
    let (url, _) = server(move |number, _, stream| {
        if number == 0 {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&sent[..40_000]));
        } else {
            let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let text = fetch_file(&file(&[&url], &bytes), folder.path(), &mut |_, _, _| {}).expect_err("refused").to_string();
    assert!(text.contains("401") && text.contains("the 40000 bytes that have come are kept"), "{text}");
    assert_eq!(names(folder.path()), ["file.bin.part"]);
}

/// A safetensors file of one tensor.
fn weights() -> Vec<u8> {
    let header = br#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    [&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat()
}

/// A hub that gives these bytes for every name.
fn hub(bytes: Vec<u8>) -> (String, Arc<Mutex<Vec<String>>>) {
    let (url, asked) = server(move |_, _, stream| whole(stream, &bytes));
    (url.trim_end_matches("/file").to_string(), asked)
}

#[test]
fn what_holds_no_weights_is_not_kept_and_the_next_run_asks_again() {
    let page = b"<!DOCTYPE html><html>Sign in</html>".to_vec();
    let empty = [&2u64.to_le_bytes()[..], b"{}"].concat();
    let cut = weights()[..40].to_vec();
    let caches = tempfile::tempdir().expect("a folder");
    let wanted = pretrained("resnet18").expect("known");
    let folder = caches.path().join("weights").join(wanted.repository.replace('/', "--"));
    let fetch = |hub: &str, offline| wanted.fetch_from(hub, Some(caches.path()), offline, &mut |_, _, _| {});
    for (bytes, part) in
        [(page.clone(), "begins with \"<!DOCTYPE html>"), (empty, "without tensors"), (cut, "no safetensors file")]
    {
        let (bad, _) = hub(bytes);
        let text = fetch(&bad, false).expect_err("refused").to_string();
        for told in [part, "was removed", "HF_ENDPOINT", "--pretrained=FILE"] {
            assert!(text.contains(told), "{told:?} is not in: {text}");
        }
        assert!(names(&folder).is_empty(), "{:?}", names(&folder));
    }
    // What an earlier version kept is removed too, with the hash beside it.
    std::fs::write(folder.join("model.safetensors"), &page).expect("written");
    let sum: String = Sha256::digest(&page).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(folder.join("model.safetensors.sha256"), sum + " counted here\n").expect("written");
    let (good, asked) = hub(weights());
    let text = fetch(&good, true).expect_err("refused").to_string();
    assert!(text.contains("was removed") && names(&folder).is_empty(), "{text}");
    assert!(fetch(&good, false).expect("fetched").new);
    assert!(!asked.lock().expect("unpoisoned").is_empty());
    assert!(!fetch(&good, true).expect("kept").new);
}

#[test]
fn a_hub_without_the_file_is_told_and_nothing_is_said_to_be_kept() {
    for answer in ["404 Not Found", "401 Unauthorized"] {
        let (url, _) = server(move |_, _, stream| {
            let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
        });
        let caches = tempfile::tempdir().expect("a folder");
        let wanted = pretrained("resnet18").expect("known");
        let hub = url.trim_end_matches("/file");
        let error = wanted.fetch_from(hub, Some(caches.path()), false, &mut |_, _, _| {}).expect_err("refused");
        let text = error.to_string();
        assert!(text.contains(&answer[..3]) && text.contains("HF_ENDPOINT") && !text.contains("kept"), "{text}");
    }
}

/// An archive as tar and gzip make it, with its files in a folder.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(vec![], flate2::Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("set/{name}"), *content).expect("added");
    }
    builder.into_inner().and_then(|gzip| gzip.finish()).expect("packed")
}

#[test]
fn an_archive_is_unpacked_once_and_then_used_offline() {
    let packed = archive(&[("readme", b"no"), ("a.bin", b"one"), ("b.bin", b"two")]);
    let sent = packed.clone();
    let (url, asked) = server(move |_, _, stream| whole(stream, &sent));
    let files = Vec::leak(vec![file(&[&url], &packed)]);
    let set = NamedSet {
        name: "own",
        aliases: &[],
        about: "",
        files,
        contents: &["a.bin", "b.bin"],
        beside: &[("classes.txt", "x\n")],
    };
    let caches = tempfile::tempdir().expect("a folder");
    let fetch = |offline| set.fetch(Some(caches.path()), offline, &mut |_, _, _| {});
    let error = fetch(true).expect_err("not here").to_string();
    assert!(error.contains("--offline downloads nothing") && error.ends_with("put there: a.bin, b.bin"), "{error}");
    let folder = fetch(false).expect("fetched");
    let mut found = names(&folder);
    found.sort();
    assert_eq!(found, ["a.bin", "b.bin", "classes.txt"]);
    assert_eq!(fetch(true).expect("here"), folder);
    assert_eq!(asked.lock().expect("unpoisoned").len(), 1);
    assert!(set.fetch(None, false, &mut |_, _, _| {}).expect_err("nowhere").to_string().contains("CHIARO_CACHE_DIR"));
}

#[test]
fn sets_have_names_and_whole_hashes() {
    assert_eq!(named("Fashion").map(|set| set.name), Some("fashion-mnist"));
    assert!(named("photos").is_none());
    for file in chiaro_fetch::NAMED.iter().flat_map(|set| set.files) {
        assert!(
            file.sha256.is_some_and(|s| s.len() == 64)
                && file.bytes > 0
                && file.urls.iter().all(|url| url.ends_with(file.name))
        );
    }
}
