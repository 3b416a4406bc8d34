//! Lists as people, shells and services write them.

use super::*;

/// The ids and names of a list, or its first problem as "LINE: why".
fn names(bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    read(bytes, &mut |line, user| {
        found.push(match user {
            Ok(UserRef::Id { id, .. }) => Ok(id),
            Ok(UserRef::Name(name)) => Ok(name),
            Err(why) => Err(format!("{}: {why}", line.map_or(0, NonZeroU64::get))),
        });
    })
    .map_err(|why| why.to_string())?;
    found.into_iter().collect()
}

proptest::proptest! {
    /// Any file is a list, or says what is wrong with it.
    #[test]
    fn any_file_is_a_list_or_is_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = names(&bytes);
    }

    #[test]
    fn any_json_is_a_list_or_is_refused(text in "[\\[{]\\PC{0,60}") {
        let _ = names(text.as_bytes());
    }

    /// Whatever the format, the same ids come out.
    #[test]
    fn the_same_ids_come_out_of_every_format(ids in proptest::collection::vec("[0-9a-f]{24}", 1..20)) {
        let json = serde_json::to_string(&ids).unwrap();
        let rows: Vec<_> = ids.iter().map(|id| serde_json::json!({"id": id})).collect();
        let answer = serde_json::json!({"links": [], "results": rows, "totalCount": ids.len()}).to_string();
        for list in [
            ids.join("\n"),
            format!("# a comment\r\n{}\r\n", ids.join(" # another\r\n")),
            format!("user_id\n{}\n", ids.join("\n")),
            format!("\"name\";\"User_ID\"\n\"x\";\"{}\"", ids.join("\"\n\"x\";\"")),
            json,
            answer,
        ] {
            proptest::prop_assert_eq!(names(list.as_bytes()).unwrap(), ids.clone(), "{}", list);
        }
    }
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// wonderwhy-er/DesktopCommanderMCP#610, openwall/john#2802, smart-mobile-software/gitstack#85, owncloud/pyocclient#85.
#[test]
fn lists_as_shells_spreadsheets_and_directories_write_them_are_read() {
    let wide = (0..300).map(|n| format!("\"Column {n}, with a comma\"")).collect::<Vec<_>>().join(",");
    let wide_row = |name: &str| format!("{}\"{name}\"", "x,".repeat(300));
    for (list, expected) in [
        (utf16("ann\r\nbob\r\n"), vec!["ann", "bob"]),
        (utf16("Name\tusername\r\nA B\tann\r\n"), vec!["ann"]),
        (b"sep=;\r\nusername;team\r\nann;a,b\r\n".to_vec(), vec!["ann"]),
        (b"sep=\t\r\nusername\tteam\r\nann\ta,b\r\n".to_vec(), vec!["ann"]),
        (b"#TYPE Selected.User\r\n\"team\",\"username\"\r\n\"x\",\"ann\"\r\n".to_vec(), vec!["ann"]),
        (b"\r\n\n  \nusername\nann\n\nbob\n".to_vec(), vec!["ann", "bob"]),
        (b"ann\rbob\r# c\rcid".to_vec(), vec!["ann", "bob", "cid"]),
        (b"username,team\rann,x\rbob,y\r".to_vec(), vec!["ann", "bob"]),
        (
            b"team,username\nx,B User\ny,\"CN=Ann Lee,OU=Ops\"\nz,CORP\\boris\n".to_vec(),
            vec!["B User", "CN=Ann Lee,OU=Ops", "CORP\\boris"],
        ),
        (
            b"\"B User\"\n\"CN=Ann,OU=Ops\" # why\nCORP\\boris\n".to_vec(),
            vec!["B User", "CN=Ann,OU=Ops", "CORP\\boris"],
        ),
        (b"\"full name\n(last, first)\",username\nx,ann\n".to_vec(), vec!["ann"]),
        (format!("{wide},username\n{}\n", wide_row("ann")).into_bytes(), vec!["ann"]),
        (b"deployment,user_id,username\nx,,'=ann\n".to_vec(), vec!["=ann"]),
        (b"user_id,username\n,'=ann\n".to_vec(), vec!["'=ann"]),
        (r#"["B User","CN=Ann,OU=Ops"]"#.into(), vec!["B User", "CN=Ann,OU=Ops"]),
    ] {
        assert_eq!(names(&list).unwrap(), expected, "{:?}", String::from_utf8_lossy(&list));
    }
}

/// BurntSushi/rust-csv#289, #252, sqlitebrowser/sqlitebrowser#542: users behind an open quote vanished without an error.
#[test]
fn an_open_quote_is_refused_where_it_began() {
    for (list, line) in [
        ("username,remark\nann,\"temp\nbob,ok\n", 2),
        ("username,remark\nann,x\nbob,\"temp\ncid,ok\ndan,until \"May\neve,ok\n", 3),
        ("username,remark\nann,\"temp\nbob,\"\ncid,x\n", 2),
        ("username,\"remark\nann@example.com,\"\nbob@example.com,x\n", 1),
        ("\"ann\nbob\n", 1),
        ("ann\n\"bob\" cid\n", 2),
    ] {
        let why = names(list.as_bytes()).unwrap_err();
        assert!(why.starts_with(&format!("{line}: ")), "{list:?}: {why}");
    }
}

/// akshaykarle/go-mongodbatlas#21: one page was taken for the whole list.
#[test]
fn a_page_of_a_list_is_not_the_list() {
    for rel in ["previous", "next", "Next"] {
        let page =
            format!(r#"{{"links":[{{"rel":"self"}},{{"rel":"{rel}"}}],"results":[{{"username":"ann"}}]}}"#);
        assert!(names(page.as_bytes()).unwrap_err().contains(rel), "{page}");
    }
}

#[test]
fn a_list_as_json_says_one_thing() {
    for list in [
        r#"{"results":["ann"],"results":[],"totalCount":1}"#,
        r#"{"results":["ann"],"content":["bob"]}"#,
        r#"{"results":["ann"],"error":500}"#,
        r#"{"status":200,"content":{"results":["ann"],"errorCode":"X"}}"#,
    ] {
        assert!(names(list.as_bytes()).is_err(), "{list}");
    }
}

#[test]
fn text_that_was_not_decoded_is_no_name() {
    let unmarked: Vec<u8> = "ann\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(names(&unmarked).unwrap_err().contains("UTF-16 without a byte order mark"));
    assert!(names(b"\xff\xfe\0\xd8\n\0").unwrap_err().contains("can't be decoded"));
}
