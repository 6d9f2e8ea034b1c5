//! What is said: comments, reviews with comments at lines, replies, reactions.

use super::{Comment, Pull, Refusal, Review, State, Thread, Verdict, What};
use crate::forge::hunk;

/// A review to submit.
#[derive(Debug, Default)]
pub(in crate::forge) struct NewReview {
    pub(in crate::forge) verdict: Verdict,
    pub(in crate::forge) body: String,
    /// The head that was reviewed; the present one where there is none.
    pub(in crate::forge) commit: Option<String>,
    pub(in crate::forge) lines: Vec<NewLine>,
    /// Whether what is said at the same line is one conversation, as at Gitea.
    pub(in crate::forge) joins: bool,
}

/// What a reaction is put on.
#[derive(Clone, Copy, Debug)]
pub(in crate::forge) enum On {
    /// A pull request or an issue, by its number.
    Number(u64),
    /// A comment on either, or at a line, by its id.
    Comment(u64),
}

/// A comment at a line.
#[derive(Clone, Debug, Default)]
pub(in crate::forge) struct NewLine {
    pub(in crate::forge) path: String,
    pub(in crate::forge) line: u64,
    pub(in crate::forge) old_side: bool,
    pub(in crate::forge) body: String,
}

impl State {
    fn new_comment(&mut self, who: u64, body: &str, review: Option<u64>) -> Comment {
        let (id, now) = self.stamp();
        let (created_at, updated_at, reactions) = (now, now, Vec::new());
        Comment { id, author: who, body: body.to_owned(), created_at, updated_at, review, reactions }
    }

    /// Comments on a pull request or an issue.
    pub(in crate::forge) fn comment(
        &mut self,
        at: usize,
        who: u64,
        number: u64,
        body: &str,
    ) -> Result<Comment, Refusal> {
        if body.trim().is_empty() {
            return Err(Refusal::Empty);
        }
        let comment = self.new_comment(who, body, None);
        let repo = &mut self.repos[at];
        let pull = repo.pulls.iter_mut().find(|pull| pull.number == number);
        let (comments, updated_at) = match pull {
            Some(pull) => (&mut pull.comments, &mut pull.updated_at),
            None => {
                let issue = repo.issues.iter_mut().find(|issue| issue.number == number).ok_or(Refusal::NotFound)?;
                (&mut issue.comments, &mut issue.updated_at)
            }
        };
        comments.push(comment.clone());
        *updated_at = comment.created_at;
        self.tell(at, who, What::Comment { number, comment: comment.id });
        Ok(comment)
    }

    /// Submits a review with its comments at lines.
    pub(in crate::forge) fn review(
        &mut self,
        at: usize,
        who: u64,
        number: u64,
        new: NewReview,
    ) -> Result<Review, Refusal> {
        let pull = self.pull(at, number)?.clone();
        if !pull.is_open() && new.verdict != Verdict::Commented {
            return Err(Refusal::NotOpen);
        }
        if who == pull.author && matches!(new.verdict, Verdict::Approved | Verdict::ChangesRequested) {
            return Err(Refusal::OwnReview);
        }
        let has_words = !new.body.trim().is_empty() || !new.lines.is_empty();
        if !has_words && matches!(new.verdict, Verdict::Commented | Verdict::ChangesRequested) {
            return Err(Refusal::Empty);
        }
        let hunks = new.lines.iter().map(|line| self.hunk_at(at, &pull, line)).collect::<Result<Vec<_>, _>>()?;
        let (id, now) = self.stamp();
        let commit = new.commit.unwrap_or_else(|| pull.head_sha.clone());
        let review = Review { id, author: who, verdict: new.verdict, body: new.body, commit, submitted_at: now };
        let mut said = vec![What::Review { number, review: id }];
        for (line, hunk) in new.lines.into_iter().zip(hunks) {
            let comment = self.new_comment(who, &line.body, Some(id));
            said.push(What::Line { number, comment: comment.id });
            let commit = pull.head_sha.clone();
            let pull = self.pull_mut(at, number)?;
            let is_there = |thread: &&mut Thread| {
                new.joins && thread.path == line.path && thread.line == line.line && thread.old_side == line.old_side
            };
            match pull.threads.iter_mut().find(is_there) {
                Some(thread) => thread.comments.push(comment),
                None => pull.threads.push(Thread {
                    path: line.path,
                    line: line.line,
                    old_side: line.old_side,
                    hunk,
                    commit,
                    resolved_by: None,
                    comments: vec![comment],
                }),
            }
        }
        let pull = self.pull_mut(at, number)?;
        pull.reviews.push(review.clone());
        if review.verdict != Verdict::Pending {
            pull.updated_at = now;
            said.into_iter().for_each(|what| self.tell(at, who, what));
        }
        Ok(review)
    }

    /// Drops what an account has not submitted; its next review takes the place of it.
    pub(in crate::forge) fn drop_pending(&mut self, at: usize, who: u64, number: u64) -> Result<(), Refusal> {
        let pull = self.pull_mut(at, number)?;
        pull.reviews.retain(|review| review.verdict != Verdict::Pending || review.author != who);
        Ok(())
    }

    /// The piece of the diff that ends at a line.
    fn hunk_at(&self, at: usize, pull: &Pull, line: &NewLine) -> Result<String, Refusal> {
        let files = self.bare(at).files(&self.base_sha(at, pull), &pull.head_sha);
        let file = files.iter().find(|file| file.path == line.path).ok_or(Refusal::NotInDiff)?;
        hunk::ending_at(&file.diff, line.line, line.old_side).ok_or(Refusal::NotInDiff)
    }

    /// Says something in a thread. `of_review` puts it into that review, none into one of its own, as GitHub does.
    pub(in crate::forge) fn reply(
        &mut self,
        at: usize,
        who: u64,
        number: u64,
        thread: u64,
        body: &str,
        of_review: Option<u64>,
    ) -> Result<Comment, Refusal> {
        if body.trim().is_empty() {
            return Err(Refusal::Empty);
        }
        let is_it = |known: &Thread| known.id() == thread;
        if !self.pull(at, number)?.threads.iter().any(is_it) {
            return Err(Refusal::NotFound);
        }
        let ((id, now), commit) = (self.stamp(), self.pull(at, number)?.head_sha.clone());
        let comment = self.new_comment(who, body, Some(of_review.unwrap_or(id)));
        let pull = self.pull_mut(at, number)?;
        if of_review.is_none() {
            let verdict = Verdict::Commented;
            pull.reviews.push(Review { id, author: who, verdict, body: String::new(), commit, submitted_at: now });
        }
        let known = pull.threads.iter_mut().find(|known| known.id() == thread).ok_or(Refusal::NotFound)?;
        known.comments.push(comment.clone());
        pull.updated_at = comment.created_at;
        if of_review.is_none() {
            self.tell(at, who, What::Review { number, review: id });
        }
        self.tell(at, who, What::Line { number, comment: comment.id });
        Ok(comment)
    }

    /// Says that a thread is settled, or that it is not.
    pub(in crate::forge) fn resolve(
        &mut self,
        at: usize,
        who: u64,
        number: u64,
        thread: u64,
        resolved: bool,
    ) -> Result<(), Refusal> {
        let (_, now) = self.stamp();
        let pull = self.pull_mut(at, number)?;
        let known = pull.threads.iter_mut().find(|known| known.id() == thread).ok_or(Refusal::NotFound)?;
        known.resolved_by = resolved.then_some(who);
        pull.updated_at = now;
        Ok(())
    }

    /// Puts a reaction on a pull request or an issue, or on the comment of an id. Returns whether it is new.
    pub(in crate::forge) fn react(&mut self, at: usize, who: u64, on: On, reaction: &str) -> Result<bool, Refusal> {
        let repo = &mut self.repos[at];
        let reactions = match on {
            On::Number(number) => {
                let pull = repo.pulls.iter_mut().find(|pull| pull.number == number).map(|pull| &mut pull.reactions);
                let issue =
                    repo.issues.iter_mut().find(|issue| issue.number == number).map(|issue| &mut issue.reactions);
                pull.or(issue)
            }
            On::Comment(id) => {
                let of_pulls = repo.pulls.iter_mut().flat_map(|pull| {
                    pull.comments.iter_mut().chain(pull.threads.iter_mut().flat_map(|thread| &mut thread.comments))
                });
                let all = of_pulls.chain(repo.issues.iter_mut().flat_map(|issue| &mut issue.comments));
                all.into_iter().find(|comment| comment.id == id).map(|comment| &mut comment.reactions)
            }
        };
        let reactions = reactions.ok_or(Refusal::NotFound)?;
        let entry = (who, reaction.to_owned());
        let is_new = !reactions.contains(&entry);
        if is_new {
            reactions.push(entry);
        }
        Ok(is_new)
    }
}
