//! Which branch work starts from: what the remote's HEAD says, and what can be concluded where it says nothing. Pure.

use git2::Oid;

/// Names that a default branch usually has, the likeliest first.
const USUAL: &[&str] = &["main", "master", "trunk", "develop", "development", "default"];
/// How branches of tickets start; none of them is a base to work from.
const TICKET: &str = "ticket-";

/// What a remote lists: a branch or its HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// `HEAD`, or the whole name of a reference.
    pub(super) name: String,
    /// The commit.
    pub(super) id: Oid,
    /// The reference that it stands for, where the remote says so.
    pub(super) target: Option<String>,
}

/// The short name of the branch to start from. HEAD decides where it names a branch that exists. A server that does not
/// say what HEAD stands for, and a HEAD that is a commit, leave the branches at that commit. Where HEAD names nothing, it
/// is a usual name, or the only branch that is no ticket's. None where all of this leaves a choice: work on the wrong
/// base would be worse than none.
pub(super) fn choose(listed: &[Listed]) -> Option<String> {
    let branches: Vec<(&str, Oid)> =
        listed.iter().filter_map(|one| Some((one.name.strip_prefix("refs/heads/")?, one.id))).collect();
    let head = listed.iter().find(|one| one.name == "HEAD");
    let named = head.and_then(|head| head.target.as_deref()?.strip_prefix("refs/heads/"));
    if let Some(named) = named.filter(|named| branches.iter().any(|(name, _)| name == named)) {
        return Some(named.to_owned());
    }
    let at_head: Vec<&str> =
        branches.iter().filter(|(_, id)| head.is_some_and(|head| head.id == *id)).map(|(name, _)| *name).collect();
    let all: Vec<&str> = branches.iter().map(|(name, _)| *name).collect();
    likeliest(&at_head).or_else(|| likeliest(&all)).map(str::to_owned)
}

fn likeliest<'a>(names: &[&'a str]) -> Option<&'a str> {
    let usual = USUAL.iter().find_map(|usual| names.iter().find(|name| *name == usual));
    let mut others = names.iter().filter(|name| !name.starts_with(TICKET));
    usual.or_else(|| others.next().filter(|_| others.next().is_none())).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, id: u8, target: Option<&str>) -> Listed {
        Listed { name: name.to_owned(), id: Oid::from_bytes(&[id; 20]).unwrap(), target: target.map(str::to_owned) }
    }

    fn chosen(head: Option<(u8, Option<&str>)>, branches: &[(&str, u8)]) -> Option<String> {
        let head = head.map(|(id, target)| listed("HEAD", id, target));
        let branches = branches.iter().map(|(name, id)| listed(&format!("refs/heads/{name}"), *id, None));
        choose(&head.into_iter().chain(branches).collect::<Vec<_>>())
    }

    #[test]
    fn head_decides_and_where_it_names_nothing_no_ticket_s_branch_is_taken() {
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(chosen(Some((1, Some("refs/heads/odd"))), &[("main", 2), ("odd", 1)]), some("odd"));
        // Names a branch that is gone, or something that is no branch.
        assert_eq!(chosen(Some((1, Some("refs/heads/gone"))), &[("a", 1), ("main", 2)]), some("a"));
        assert_eq!(chosen(Some((1, Some("refs/tags/v1"))), &[("ticket-1", 1), ("main", 2)]), some("main"));
        // A server that does not say what HEAD stands for.
        assert_eq!(chosen(Some((1, None)), &[("a", 1), ("master", 1), ("main", 2)]), some("master"));
        assert_eq!(chosen(Some((1, None)), &[("a", 1), ("ticket-9", 1), ("main", 2)]), some("a"));
        // A HEAD at a commit that no branch has.
        assert_eq!(chosen(Some((9, None)), &[("ticket-1", 1), ("work", 2)]), some("work"));
        // A HEAD that is not born.
        assert_eq!(chosen(None, &[("a", 1), ("ticket-1", 1), ("trunk", 2)]), some("trunk"));
        assert_eq!(chosen(None, &[("a", 1), ("b", 2)]), None);
        assert_eq!(chosen(None, &[("ticket-1", 1)]), None);
        assert_eq!(chosen(None, &[]), None);
    }
}
