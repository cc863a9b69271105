//! A small server on this machine, which answers as told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// What the server says about a file.
#[derive(Clone)]
pub(crate) enum Answer {
    Whole(Vec<u8>),
    /// Announces all, sends half, hangs up.
    Half(Vec<u8>),
    Status(u16),
}

/// Serves the named files until the test ends; gives the mirror's address.
pub(crate) fn serve(answers: Vec<(String, Answer)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/some/where/", listener.local_addr().unwrap());
    let answers: HashMap<String, Answer> =
        answers.into_iter().map(|(name, answer)| (format!("/some/where/{name}"), answer)).collect();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up early is its own affair.
            let _ = answer(&stream, &answers);
        }
    });
    url
}

fn answer(mut stream: &TcpStream, answers: &HashMap<String, Answer>) -> std::io::Result<()> {
    let mut request = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut request)? > 2 {}
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body, sent) = match answers.get(path) {
        Some(Answer::Whole(body)) => (200, &body[..], body.len()),
        Some(Answer::Half(body)) => (200, &body[..], body.len() / 2),
        Some(Answer::Status(status)) => (*status, &[][..], 0),
        None => (404, &[][..], 0),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body[..sent])
}
