#!/bin/sh
# Makes the archives of this folder with tar, gzip, bzip2, xz, zstd, zip, 7z, ar, cpio, rpmbuild, lz4 and base64 of
# Debian. Each has one key, in line
# 2, column 7 of a text. The clock is fixed, so that the bytes are the same each time for the same versions.
set -eu
export SOURCE_DATE_EPOCH=1735689600
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
key=b5e7b0c4-3a1d-4e0e-8f55-92732876eeae
long=$(printf 'folder/%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18)
mkdir -p "$folder/$long"
printf 'user: ann\nkey = %s\n' "$key" > "$folder/key.txt"
cp "$folder/key.txt" "$folder/${long}key.txt"
printf 'a program\n' > "$folder/program"
find "$folder" -exec touch -d '2025-01-01 00:00:00 UTC' {} +
files() { tar -C "$folder" --owner=0 --group=0 --numeric-owner --sort=name "$@"; }

files --format=gnu -cf - "${long}key.txt" | gzip -n9 > gnu.tar.gz
files --format=pax --pax-option=delete=atime,delete=ctime -cf - "${long}key.txt" | gzip -n9 > pax.tar.gz
truncate -s 3000000 "$folder/sparse"
cat "$folder/key.txt" >> "$folder/sparse"
touch -d '2025-01-01 00:00:00 UTC' "$folder/sparse"
files --format=gnu -S -cf - sparse | gzip -n9 > sparse.tar.gz
files --format=v7 -cf - key.txt | bzip2 -9 > v7.tar.bz2
files --format=ustar -cf - key.txt | xz -9 > ustar.tar.xz
files --format=ustar -cf - key.txt | zstd -q -19 > ustar.tar.zst
{ printf 'empty\n' | xz; xz < "$folder/key.txt"; } > two.xz
{ printf 'empty\n' | zstd -q; zstd -q < "$folder/key.txt"; } > two.zst
{ printf 'empty\n' | gzip -n; gzip -n < "$folder/key.txt"; } > two.gz
rm -f plain.zip encrypted.zip streamed.zip program.zip
(cd "$folder" && zip -qX plain.zip key.txt && zip -qX -P secret encrypted.zip key.txt)
(cd "$folder" && zip -qX - - < key.txt > streamed.zip && cat program plain.zip > program.zip && zip -qA program.zip)
(cd "$folder" && 7z a -bd -mtm- key.7z key.txt > output)
cp "$folder/plain.zip" "$folder/encrypted.zip" "$folder/streamed.zip" "$folder/program.zip" "$folder/key.7z" .
{ printf 'data:\n  archive: |\n'; base64 -w 60 plain.zip | sed 's/^/    /'; } > archive.yaml
{ printf 'text:\n'; base64 -w 48 "$folder/key.txt"; } > wrapped.txt
iconv -f utf-8 -t utf-16 "$folder/key.txt" > utf-16.txt
# Windows in MiB, far larger than the text.
window() { xz -c --lzma2=preset=0,dict="$1"MiB; }
window 64 < "$folder/key.txt" > window-64.xz
window 64 < "$folder/key.txt" | window 8 > window-64-in-8.xz
window 64 < "$folder/key.txt" | window 64 > window-64-in-64.xz
window 128 < "$folder/key.txt" > window-128.xz
for log in 25 27; do zstd -q --long=$log < "$folder/key.txt" > window-$((1 << (log - 20))).zst; done
# Packages and images.
(cd "$folder" && ar rcD "$folder/key.a" key.txt program && printf 'key.txt\n' | cpio --quiet --reproducible -o -H newc > key.cpio)
gzip -n9 < "$folder/key.cpio" > image.cpio.gz
{ cat "$folder/key.cpio"; zstd -q < "$folder/key.cpio"; } > two.cpio
mkdir "$folder/deb"
printf '2.0\n' > "$folder/deb/debian-binary"
files --format=gnu -cf - key.txt | xz > "$folder/deb/data.tar.xz"
files --format=gnu -cf - program | zstd -q > "$folder/deb/control.tar.zst"
(cd "$folder/deb" && ar rcD ../key.deb debian-binary control.tar.zst data.tar.xz)
cp "$folder/key.a" "$folder/key.deb" .
cat > "$folder/key.spec" <<SPEC
Name: key
Version: 1
Release: 1
Summary: A file
License: MIT
BuildArch: noarch
%description
A file.
%post
curl -u ann:$key https://om.example
%install
mkdir -p %{buildroot}/etc && cp $folder/key.txt %{buildroot}/etc/key.txt
%files
/etc/key.txt
SPEC
rpmbuild -bb --quiet --define "_topdir $folder/rpm" --define '_buildhost host' --define 'use_source_date_epoch_as_buildtime 1' \
    --define 'clamp_mtime_to_source_date_epoch 1' "$folder/key.spec"
cp "$folder"/rpm/RPMS/noarch/key-1-1.noarch.rpm key.rpm
iconv -f utf-8 -t utf-32 "$folder/key.txt" > utf-32.txt
lz4 -q < "$folder/key.txt" > key.lz4
xz --format=lzma -c < "$folder/key.txt" > key.lzma
