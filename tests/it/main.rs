//! What the program promises, held against the program itself over HTTP: one file a topic.

mod curl;
mod sandbox;
