//! Stories of whole tickets, without any IO.

use super::*;
use crate::director::TurnChanges;
use crate::director::chat::Role;

const PLAN_OK: &str = r#"{"approved": true, "feedback": ""}"#;
const COMPLETE: &str = r#"{"complete": true, "summary": "All done", "instructions": ""}"#;

const NOBODY_WROTE: Event = Event::PeopleWrote(false);

/// A turn whose prompt had a person's words in front.
fn worked_and_heard(text: &str, heard: &str) -> Event {
    let Event::AgentDone(report) = worked(text) else { panic!() };
    Event::AgentDone(Report { heard: vec![heard.to_owned()], ..report })
}

fn brief(title: &str) -> Brief {
    Brief { title: title.to_owned(), description: "Do it well".to_owned(), ..Brief::default() }
}

fn more(instructions: &str) -> Event {
    said(&format!(r#"{{"complete": false, "summary": "", "instructions": "{instructions}"}}"#))
}

fn said(text: &str) -> Event {
    Event::DirectorSaid(text.to_owned())
}

fn worked(text: &str) -> Event {
    let changes =
        TurnChanges { changed: true, diffstat: "a.rs | 2 ++".to_owned(), diff: None, left_out: String::new() };
    Event::AgentDone(Report { text: text.to_owned(), tools: vec!["write a.rs".to_owned()], changes, heard: Vec::new() })
}

fn idled() -> Event {
    Event::AgentDone(Report { text: "Nothing to do.".to_owned(), ..Report::default() })
}

/// Plays the events and returns the action after each.
fn play(mut step: Step, events: impl IntoIterator<Item = Event>) -> Vec<Action> {
    let mut actions = vec![step.action.clone()];
    for event in events {
        step = next(step.state, event);
        actions.push(step.action.clone());
    }
    actions
}

/// An action in a word or two.
fn name(action: &Action) -> String {
    match action {
        Action::PromptAgent { phase, .. } => format!("agent {phase}"),
        Action::AskDirector { phase, .. } => format!("director {phase}"),
        Action::Compact => "compact".to_owned(),
        Action::BeginAfresh => "begin afresh".to_owned(),
        Action::HearPeople => "hear people".to_owned(),
        Action::Verify { phase } => format!("verify {phase}"),
        Action::AskPeople { phase, .. } => format!("ask people {phase}"),
        Action::Finish { .. } => "finish".to_owned(),
        Action::Fail(failure) => format!("fail {failure:?}"),
    }
}

fn names(actions: &[Action]) -> Vec<String> {
    actions.iter().map(name).collect()
}

fn last_question(action: &Action) -> &str {
    let Action::AskDirector { messages, .. } = action else { panic!("{action:?}") };
    &messages.last().unwrap().content
}

fn prompt(action: &Action) -> &str {
    let Action::PromptAgent { prompt, .. } = action else { panic!("{action:?}") };
    prompt
}

#[test]
fn a_ticket_goes_from_research_to_complete() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let events = [
        worked("Found it"),
        worked("The plan"),
        said(PLAN_OK),
        worked("Half"),
        more("the rest"),
        worked("All"),
        said(COMPLETE),
        NOBODY_WROTE,
    ];
    let actions = play(step, events);
    assert_eq!(
        names(&actions),
        [
            "agent research",
            "agent plan",
            "director plan-review",
            "agent execution",
            "director turn-review",
            "agent execution",
            "director turn-review",
            "hear people",
            "finish"
        ]
    );
    assert_eq!(actions[8], Action::Finish { summary: "All done".to_owned(), reason: None });
}

#[test]
fn every_prompt_says_its_phase_on_a_line_of_its_own() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let events = [worked("Found it"), worked("The plan"), said(PLAN_OK), worked("Half"), more("the rest")];
    for action in play(step, events) {
        let (phase, text) = match &action {
            Action::PromptAgent { phase, prompt } => (phase, prompt.as_str()),
            Action::AskDirector { phase, .. } => (phase, last_question(&action)),
            other => panic!("{other:?}"),
        };
        assert!(text.lines().any(|line| line == format!("Phase: {phase}")), "{text}");
    }
}

#[test]
fn a_rejected_plan_goes_back_with_the_feedback_and_after_the_last_round_work_starts_anyway() {
    let step = start(brief("Add a cart"), Limits { plan_rounds: 2, ..Limits::default() }, true);
    let no = |feedback: &str| said(&format!(r#"{{"approved": false, "feedback": "{feedback}"}}"#));
    let events = [worked("r"), worked("plan A"), no("test the empty cart"), worked("plan B"), no("still no test")];
    let actions = play(step, events);
    assert_eq!(names(&actions)[3..], ["agent plan", "director plan-review", "agent execution"]);
    assert!(prompt(&actions[3]).contains("test the empty cart"));
    assert!(last_question(&actions[4]).contains("plan B"));
    assert!(prompt(&actions[5]).contains("still no test"));
}

#[test]
fn the_director_sees_what_changed_and_the_plan_that_stands() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let actions = play(step, [worked("r"), worked("THE PLAN"), said(PLAN_OK), worked("I wrote it")]);
    let Action::AskDirector { messages, .. } = &actions[4] else { panic!() };
    assert!(messages[3].content.contains("THE PLAN"), "{messages:?}");
    let question = last_question(&actions[4]);
    assert!(question.contains("a.rs | 2 ++") && question.contains("I wrote it") && question.contains("write a.rs"));
}

#[test]
fn the_director_is_told_how_many_turns_changed_nothing() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let actions = play(step, [worked("r"), worked("p"), said(PLAN_OK), idled(), more("go on"), idled()]);
    assert!(
        last_question(&actions[6]).contains("Nothing, for the second turn in a row."),
        "{}",
        last_question(&actions[6])
    );
}

#[test]
fn an_unusable_answer_is_sent_back_with_the_reason_and_then_with_other_words() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let actions = play(
        start(brief("Add a cart"), Limits::default(), true),
        [worked("r"), worked("p"), said("Looks good!"), said(PLAN_OK)],
    );
    assert_eq!(names(&actions)[3..], ["director plan-review", "agent execution"]);
    let Action::AskDirector { messages, .. } = &actions[3] else { panic!() };
    let tail: Vec<Role> = messages[messages.len() - 2..].iter().map(|message| message.role).collect();
    assert_eq!(tail, [Role::Assistant, Role::User]);
    assert!(last_question(&actions[3]).contains("no JSON object that is whole"));

    let actions = play(step, [worked("r"), worked("p"), said("Looks good!"), said("Really!"), said("Yes!")]);
    assert!(last_question(&actions[4]).contains("JSON only"), "{}", last_question(&actions[4]));
    assert!(names(&actions)[5].starts_with("fail UnusableAnswer"), "{actions:?}");
}

#[test]
fn each_question_may_be_asked_a_second_time() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let events =
        [worked("r"), worked("p"), said("?"), said(PLAN_OK), worked("w"), said("?"), said(COMPLETE), NOBODY_WROTE];
    assert_eq!(name(play(step, events).last().unwrap()), "finish");
}

#[test]
fn the_turn_limit_ends_a_ticket_that_is_never_complete() {
    let step = start(brief("Add a cart"), Limits { execution_turns: 2, ..Limits::default() }, true);
    let events = [worked("r"), worked("p"), said(PLAN_OK), worked("1"), more("a"), worked("2"), more("b")];
    assert_eq!(*play(step, events).last().unwrap(), Action::Fail(Failure::TurnLimit { limit: 2 }));
}

#[test]
fn a_ticket_that_can_not_be_completed_fails_with_the_reason() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let blocked = said(r#"{"complete": false, "summary": "", "blocked": "no access to the bank"}"#);
    let actions = play(step, [worked("r"), worked("p"), said(PLAN_OK), worked("1"), blocked]);
    let reason = "no access to the bank".to_owned();
    assert_eq!(*actions.last().unwrap(), Action::Fail(Failure::Blocked { reason }));
}

#[test]
fn a_ticket_may_be_complete_without_a_change_if_there_is_a_reason() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let verdict = said(r#"{"complete": true, "summary": "Nothing to do", "reason": "it exists already"}"#);
    let actions = play(step, [worked("r"), worked("p"), said(PLAN_OK), idled(), verdict, NOBODY_WROTE]);
    let Action::Finish { reason, .. } = actions.last().unwrap() else { panic!("{actions:?}") };
    assert_eq!(reason.as_deref(), Some("it exists already"));
}

#[test]
fn a_project_setup_takes_the_short_flow() {
    let step = start(brief(" Project Setup "), Limits::default(), true);
    let actions = play(step, [worked("Set up"), more("a README"), worked("Written"), said(COMPLETE), NOBODY_WROTE]);
    assert_eq!(
        names(&actions),
        ["agent setup", "director turn-review", "agent setup", "director turn-review", "hear people", "finish"]
    );
}

fn reviewed(title: &str) -> Brief {
    Brief { review: "ann: Rename `greet`.".to_owned(), ..brief(title) }
}

#[test]
fn what_reviewers_say_takes_the_short_flow_whatever_the_ticket_is() {
    for title in ["Add a cart", "Project setup"] {
        let step = start(reviewed(title), Limits::default(), true);
        let actions =
            play(step, [worked("Renamed"), more("the README too"), worked("There too"), said(COMPLETE), NOBODY_WROTE]);
        assert_eq!(
            names(&actions),
            ["agent review", "director turn-review", "agent review", "director turn-review", "hear people", "finish"]
        );
        assert!(prompt(&actions[0]).contains("ann: Rename `greet`.") && prompt(&actions[0]).contains("Do it well"));
        assert!(!prompt(&actions[0]).contains("is posted at the pull request"), "the Director writes the reply");
        let Action::AskDirector { messages, .. } = &actions[1] else { panic!() };
        assert!(messages.iter().any(|message| message.content.contains("ann: Rename `greet`.")), "{messages:?}");
        let question = last_question(&actions[1]);
        assert!(question.contains("the reviewers say is dealt with") && !question.contains("the ticket is complete"));
    }
}

#[test]
fn a_review_that_needs_no_change_is_finished_with_the_reason() {
    let verdict = said(r#"{"complete": true, "summary": "It is right as it is", "reason": "the name is public"}"#);
    let actions = play(start(reviewed("Add a cart"), Limits::default(), true), [idled(), verdict, NOBODY_WROTE]);
    let expected =
        Action::Finish { summary: "It is right as it is".to_owned(), reason: Some("the name is public".to_owned()) };
    assert_eq!(*actions.last().unwrap(), expected);
}

#[test]
fn without_a_director_a_review_is_one_turn_whose_last_words_are_the_reply() {
    let actions = play(start(reviewed("Add a cart"), Limits::default(), false), [worked("Renamed."), NOBODY_WROTE]);
    assert_eq!(names(&actions), ["agent review", "hear people", "finish"]);
    assert!(prompt(&actions[0]).contains("Your last message is posted at the pull request"));
    assert_eq!(actions[2], Action::Finish { summary: "Renamed.".to_owned(), reason: None });
}

#[test]
fn after_a_compaction_the_agent_is_told_again_what_reviewers_say() {
    let limits = Limits { compact_every: 1, ..Limits::default() };
    let actions = play(start(reviewed("Add a cart"), limits, true), [worked("1"), more("next"), Event::Compacted]);
    assert!(prompt(&actions[3]).contains("ann: Rename `greet`."), "{actions:?}");
}

#[test]
fn without_a_director_the_agent_does_it_alone_in_one_turn() {
    let step = start(brief("Add a cart"), Limits::default(), false);
    let actions = play(step, [worked("  I did it.\n"), NOBODY_WROTE]);
    assert_eq!(actions[2], Action::Finish { summary: "I did it.".to_owned(), reason: None });
}

#[test]
fn after_a_compaction_the_agent_is_told_the_ticket_again() {
    let step = start(brief("Add a cart"), Limits { compact_every: 3, ..Limits::default() }, true);
    let events = [
        worked("r"),
        worked("THE PLAN"),
        said(PLAN_OK),
        worked("1"),
        more("next"),
        Event::Compacted,
        worked("2"),
        more("more"),
    ];
    let actions = play(step, events);
    assert_eq!(names(&actions)[5..7], ["compact", "agent execution"]);
    assert!(prompt(&actions[6]).contains("Do it well") && prompt(&actions[6]).contains("THE PLAN"));
    assert!(!prompt(&actions[8]).contains("Do it well"), "{}", prompt(&actions[8]));
}

#[test]
fn an_event_out_of_order_is_a_failure() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    assert_eq!(play(step, [said(PLAN_OK)])[1], Action::Fail(Failure::OutOfOrder));
}

#[test]
fn when_a_person_wrote_the_agent_gets_another_turn_instead_of_finishing() {
    let step = start(brief("Add a cart"), Limits { execution_turns: 1, ..Limits::default() }, true);
    let before = [worked("r"), worked("p"), said(PLAN_OK), worked("1"), said(COMPLETE), Event::PeopleWrote(true)];
    let after = [worked_and_heard("2", "IN EUROS"), said(COMPLETE), NOBODY_WROTE];
    let actions = play(step, before.into_iter().chain(after));
    let expected = ["hear people", "agent execution", "director turn-review", "hear people", "finish"];
    assert_eq!(names(&actions)[5..], expected);
    assert!(prompt(&actions[6]).contains("Do what the person wrote to you"));
    assert!(last_question(&actions[7]).contains("IN EUROS"));
}

#[test]
fn without_a_director_a_person_s_words_are_another_turn_too() {
    let step = start(brief("Add a cart"), Limits::default(), false);
    let events = [worked("one"), Event::PeopleWrote(true), worked("two"), NOBODY_WROTE];
    let actions = play(step, events);
    assert_eq!(names(&actions), ["agent execution", "hear people", "agent execution", "hear people", "finish"]);
    assert_eq!(actions[4], Action::Finish { summary: "two".to_owned(), reason: None });
}

#[test]
fn the_director_is_told_what_people_wrote_at_once_and_to_the_end() {
    let limits = Limits { remembered_exchanges: 1, ..Limits::default() };
    let step = start(brief("Add a cart"), limits, true);
    let events = [
        worked_and_heard("r", "IN EUROS"),
        worked("p"),
        said(PLAN_OK),
        worked("1"),
        more("a"),
        worked_and_heard("2", "WITH TAX"),
        more("b"),
        worked("3"),
    ];
    let actions = play(step, events);
    assert!(last_question(&actions[2]).contains("IN EUROS"));
    assert!(last_question(&actions[6]).contains("WITH TAX") && !last_question(&actions[6]).contains("IN EUROS"));
    let Action::AskDirector { messages, .. } = &actions[8] else { panic!() };
    assert!(messages[3].content.contains("IN EUROS") && messages[3].content.contains("WITH TAX"), "{messages:?}");
}

#[test]
fn what_people_wrote_stands_in_front_of_the_prompt() {
    let prompt = words::with_messages("Phase: plan\n\nPlan it.", &["Use ``` tabs.".to_owned(), "Now.".to_owned()]);
    let (before, after) = prompt.split_once("---\n").unwrap();
    assert!(before.contains("A person wrote to you") && before.contains("Use ``` tabs.") && before.contains("Now."));
    assert_eq!(after.trim(), "Phase: plan\n\nPlan it.");
    assert_eq!(words::with_messages("Phase: plan", &[]), "Phase: plan");
}

#[test]
fn decisions_are_noted_for_those_who_watch() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let no = said(r#"{"approved": false, "feedback": "test it"}"#);
    let events = [worked("r"), worked("p"), no, worked("p2"), said(PLAN_OK), worked("1"), more("the rest")];
    let (mut step, mut verdicts) = (step, Vec::new());
    for event in events {
        step = next(step.state, event);
        verdicts.extend(step.note.as_ref().and_then(|note| note.verdict.clone()));
    }
    let plan = |round, approved, feedback: Option<&str>| Verdict {
        round: Some(round),
        approved,
        feedback: feedback.map(str::to_owned),
        ..Verdict::default()
    };
    let turn = Verdict { complete: Some(false), next: Some("the rest".to_owned()), ..Verdict::default() };
    assert_eq!(verdicts, [plan(1, false, Some("test it")), plan(2, true, None), turn]);
}

fn asked(what: &str) -> Event {
    let Event::AgentDone(report) = worked("So far.") else { panic!() };
    Event::AgentAsked(Asked::Question { text: what.to_owned() }, report)
}

fn answered(words: &str) -> Event {
    Event::PeopleAnswered(words.to_owned())
}

#[test]
fn a_question_interrupts_a_turn_and_its_answer_goes_on_with_it() {
    let step = start(brief("A"), Limits::default(), true);
    let events = [asked("Which way?"), answered("The first."), worked("Known."), worked("A plan."), said(PLAN_OK)];
    let actions = play(step, events);
    let names: Vec<String> = actions.iter().map(name).collect();
    let expected = [
        "agent research",
        "ask people research",
        "agent research",
        "agent plan",
        "director plan-review",
        "agent execution",
    ];
    assert_eq!(names, expected);
    let Action::PromptAgent { prompt, .. } = &actions[2] else { panic!() };
    assert!(prompt.contains("Which way?") && prompt.contains("The first."), "{prompt}");
}

#[test]
fn the_director_sees_the_whole_of_a_turn_that_a_question_interrupted() {
    let step = start(brief("A"), Limits::default(), true);
    let events = [
        worked("Known."),
        worked("A plan."),
        said(PLAN_OK),
        asked("Which way?"),
        answered(""),
        worked_and_heard("Done.", "Hurry"),
    ];
    let actions = play(step, events);
    let Action::AskDirector { messages, .. } = actions.last().unwrap() else { panic!("{actions:?}") };
    let question = &messages.last().unwrap().content;
    assert_eq!(question.matches("a.rs | 2 ++").count(), 2, "{question}");
    assert_eq!(question.matches("write a.rs").count(), 2, "{question}");
    assert!(question.contains("Done.") && question.contains("Hurry"), "{question}");
    let Action::PromptAgent { prompt, .. } = &actions[5] else { panic!() };
    assert!(prompt.contains("leaves it to you"), "{prompt}");
}

#[test]
fn an_agent_that_asks_without_end_is_told_to_decide() {
    let mut step = start(brief("A"), Limits::default(), false);
    for nth in 0..MAX_QUESTIONS {
        step = next(step.state, asked(&format!("Question {nth}?")));
        assert_eq!(name(&step.action), "ask people execution");
        step = next(step.state, answered("Yes."));
    }
    step = next(step.state, asked("One more?"));
    let Action::PromptAgent { prompt, .. } = &step.action else { panic!("{:?}", step.action) };
    assert!(prompt.contains("One more?") && prompt.contains("Decide by yourself"), "{prompt}");
    assert!(step.note.is_some());
    assert_eq!(name(&next(step.state, worked("Done.")).action), "hear people");
}

#[test]
fn a_granted_permission_is_said_and_nothing_is_left_to_the_agent() {
    let asked = Asked::Permission { permission: "external_directory".to_owned(), patterns: vec!["/etc/*".to_owned()] };
    let prompt = words::answered(&asked, "");
    assert!(prompt.contains("external_directory: /etc/*") && prompt.contains("has granted it"), "{prompt}");
    assert!(!prompt.contains("leaves it to you"), "{prompt}");
}

#[test]
fn the_rules_say_whether_people_answer() {
    let asks = words::rules(true);
    assert!(asks.contains("tool for questions") && !asks.contains("never ask"), "{asks}");
    let decides = words::rules(false);
    assert!(!decides.contains("tool for questions") && decides.contains("never ask"), "{decides}");
}

/// A Director who always wants more of an agent that only talks: the last action, and what the log says.
fn talks_on(mut step: Step, turns: usize) -> (Action, Vec<String>) {
    let mut noted = Vec::new();
    let first = [worked("Found it"), worked("The plan"), said(PLAN_OK)];
    let rest = (0..turns).flat_map(|_| [idled(), more("begin")]);
    for event in first.into_iter().chain(rest) {
        step = next(step.state, event);
        noted.extend(step.state.stuck.take_note());
        if step.action == Action::Compact {
            step = next(step.state, Event::Compacted);
        }
        if step.action == Action::BeginAfresh {
            step = next(step.state, Event::BegunAfresh { could: true, so_far: "a.rs | 2 ++".to_owned() });
            noted.extend(step.state.stuck.take_note());
        }
    }
    (step.action, noted)
}

#[test]
fn an_agent_that_only_talks_is_told_then_compacted_then_replaced_then_stopped() {
    let start = || start(brief("Add a cart"), Limits::default(), true);
    let (action, noted) = talks_on(start(), 2);
    assert!(!prompt(&action).contains("The program that watches") && noted.is_empty(), "{noted:?}");
    let (action, noted) = talks_on(start(), 3);
    assert!(prompt(&action).contains("you called no tool and changed nothing in 3 turns in a row"), "{action:?}");
    assert!(noted[0].ends_with("in 3 turns in a row; it is warned"), "{noted:?}");
    let (action, _) = talks_on(start(), 4);
    assert!(prompt(&action).contains("Do it well") && prompt(&action).contains("in 4 turns in a row"), "{action:?}");
    let (action, noted) = talks_on(start(), 5);
    for part in
        ["You take over work that was begun", "Do it well", "The plan", "a.rs | 2 ++", "Nothing to do.", "begin"]
    {
        assert!(prompt(&action).contains(part), "{part}: {action:?}");
    }
    assert_eq!(noted.len(), 3, "{noted:?}");
    let (action, noted) = talks_on(start(), 6);
    assert!(matches!(&action, Action::Fail(Failure::Stuck { found }) if found.times == 6), "{action:?}");
    assert_eq!(noted.len(), 4, "{noted:?}");
}

fn stuck() -> Event {
    Event::AgentStuck(Found::silent(60), vec!["Use make.".to_owned()])
}

fn begun(could: bool) -> Event {
    Event::BegunAfresh { could, so_far: String::new() }
}

#[test]
fn an_agent_that_is_stuck_in_its_turn_gets_another_conversation_and_then_the_ticket_fails() {
    let research = || start(brief("Add a cart"), Limits::default(), true);
    let actions = play(research(), [stuck(), begun(true), stuck()]);
    assert_eq!(names(&actions)[..3], ["agent research", "begin afresh", "agent research"]);
    let taken_over = prompt(&actions[2]);
    assert!(
        taken_over.contains("Use make.") && taken_over.lines().any(|line| line == "Phase: research"),
        "{taken_over}"
    );
    assert_eq!(taken_over.matches("Do it well").count(), 1, "{taken_over}");
    assert!(matches!(actions[3], Action::Fail(Failure::Stuck { .. })), "{actions:?}");
    let actions = play(research(), [stuck(), begun(false)]);
    assert!(matches!(actions[2], Action::Fail(Failure::Stuck { .. })), "{actions:?}");
}

#[test]
fn progress_lets_the_steps_begin_again() {
    let step = start(brief("Add a cart"), Limits::default(), true);
    let events = [stuck(), begun(true), worked("Found it"), stuck(), begun(true), worked("The plan"), said(PLAN_OK)];
    assert_eq!(names(&play(step, events)).last().unwrap(), "agent execution");
}

#[test]
fn where_people_answer_they_are_asked_what_a_stuck_agent_should_do() {
    let brief = Brief { may_ask: true, ..brief("Add a cart") };
    let step = start(brief, Limits::default(), true);
    let events = [stuck(), begun(true), stuck(), Event::PeopleAnswered("Read the tests first.".to_owned()), stuck()];
    let actions = play(step, events);
    let Action::AskPeople { asked, .. } = &actions[3] else { panic!("{actions:?}") };
    assert!(asked.text().contains("said and did nothing for 60 seconds"), "{asked:?}");
    let advised = prompt(&actions[4]);
    assert!(advised.contains("Read the tests first.") && advised.contains("Phase: research"), "{advised}");
    assert_eq!(name(&actions[5]), "begin afresh", "a person's words begin the steps again");
}
