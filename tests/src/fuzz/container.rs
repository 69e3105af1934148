//! This program's own files.

use super::{Dice, bytes, protobuf};
use peregrine_ir::binary::{Container, Owner, container as format};

type Chunks = Vec<(u64, Vec<u8>)>;

/// A file made from a sound one: chunks damaged, or their list, most often with checksums that are right.
pub fn container(dice: &mut Dice, file: &[u8]) -> Vec<u8> {
    let Some((opened, mut chunks)) = open(file) else {
        return file.to_vec();
    };
    let mut owner = opened.owner();
    match dice.roll(10) {
        0 => {
            let mut file = file.to_vec();
            bytes(dice, &mut file);
            return file;
        }
        1 => return numbers(dice, file),
        2 => rearrange(dice, &mut chunks),
        3 => owner = Owner([dice.roll(256) as u8; 32]),
        _ => {
            let shortest = chunks
                .iter()
                .enumerate()
                .min_by_key(|(_, (_, chunk))| chunk.len());
            // Headers are small and decide most: they are damaged as often as all others together.
            let header = shortest.map_or(0, |(at, _)| at);
            let at = if dice.once_in(2) {
                header
            } else {
                dice.roll(chunks.len())
            };
            if let Some((_, chunk)) = chunks.get_mut(at) {
                *chunk = protobuf(dice, chunk);
            }
        }
    }
    close(&opened, owner, &chunks)
}

fn open(file: &[u8]) -> Option<(Container<'_>, Chunks)> {
    let container = Container::parse(file).ok()?;
    let chunk = |tag| Some((tag, container.chunk(tag).ok()?.to_vec()));
    let chunks = container.tags().map(chunk).collect::<Option<_>>()?;
    Some((container, chunks))
}

fn close(like: &Container<'_>, owner: Owner, chunks: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let chunks: Vec<(u64, &[u8])> = chunks.iter().map(|(tag, b)| (*tag, b.as_slice())).collect();
    format::encode(like.kind(), owner, &chunks)
}

/// Removes, repeats or exchanges chunks, or adds many.
fn rearrange(dice: &mut Dice, chunks: &mut Chunks) {
    let at = dice.roll(chunks.len());
    let Some((tag, chunk)) = chunks.get(at).cloned() else {
        return;
    };
    match dice.roll(6) {
        0 => drop(chunks.remove(at)),
        1 => chunks.push((dice.telling(tag), chunk)),
        2 => chunks.push((tag, chunk)),
        3 => chunks.swap(0, at),
        4 => chunks.extend((0..300).map(|more| (2000 + more, Vec::new()))),
        _ => {
            if let Some((_, chunk)) = chunks.get_mut(at) {
                chunk.clear();
            }
        }
    }
}

/// Changes numbers of the fixed header or of the directory; checksums are those of the changed file.
fn numbers(dice: &mut Dice, file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let fields = [8, 12, 48, 52, 56, 64, 72, 80, 128, 136, 144];
    for _ in 0..=dice.roll(2) {
        let at = dice.pick(&fields).unwrap_or(8);
        let width = if at < 56 && at != 48 { 4 } else { 8 };
        if let Some(field) = file.get_mut(at..at + width) {
            let mut old = [0; 8];
            old[..width].copy_from_slice(field);
            let new = dice.telling(u64::from_le_bytes(old)).to_le_bytes();
            field.copy_from_slice(&new[..width]);
        }
    }
    seal(&mut file);
    file
}

/// Makes the checksum of the header right, if it has a place in the file.
fn seal(file: &mut [u8]) {
    let count = file.get(48..52).and_then(|b| b.first_chunk()).copied();
    let count = u32::from_le_bytes(count.unwrap_or_default()) as usize;
    let head = 64 + 64 * count;
    if let Some((head, rest)) = file.split_at_mut_checked(head)
        && let Some(place) = rest.first_chunk_mut::<32>()
    {
        *place = *blake3::hash(head).as_bytes();
    }
}
