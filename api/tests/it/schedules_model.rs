//! Schedules against a model, with a clock of the test's own: two replicas and another clock fire at once, over changes of
//! daylight saving, a leap day and stops of a day. Each time is fired exactly as the schedule says.

use crate::support::TestApp;
use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use terarchitect_api::actions::schedules::fire::{fire_if_due, fire_next};
use terarchitect_api::changes::Database;
use terarchitect_api::domain::actor::Actor;
use terarchitect_api::domain::people::Role;
use terarchitect_api::domain::people::rights::Rights;
use uuid::Uuid;

/// How late a run may be that still counts as on time, in minutes.
const ON_TIME: i64 = 5;

/// When a schedule is due, as the model has it.
#[derive(Clone, Copy, Debug)]
enum When {
    /// At a time of the day: once, also if the clocks show it twice, and when the clocks have been set if they skip it.
    Daily(u32, u32),
    /// The same, on the 29th of February alone.
    LeapDay(u32, u32),
    /// At each of these minutes of each hour.
    Hourly(&'static [u32]),
}

/// A schedule, with what the model expects of it.
struct Modelled {
    id: Uuid,
    expression: &'static str,
    zone: Tz,
    when: When,
    missed: &'static str,
    overlap: &'static str,
    /// The time of the last tick.
    since: DateTime<Utc>,
    /// What its runs must be: when due, whether it got an order, and how many times passed before.
    expected: Vec<(DateTime<Utc>, bool, i32)>,
}

impl Modelled {
    /// Whether it is due at this minute.
    fn is_due(&self, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&self.zone);
        let daily = |hour, minute| {
            // Either the minute shows this time for the first time, or it is the first one after the time was skipped.
            [local.date_naive(), local.date_naive().pred_opt().unwrap()].into_iter().any(|date| {
                let wanted: NaiveDateTime = date.and_hms_opt(hour, minute, 0).unwrap();
                match self.zone.from_local_datetime(&wanted) {
                    MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => time == at,
                    MappedLocalTime::None => {
                        let end = (1..180).map(|more| wanted + TimeDelta::minutes(more));
                        let end = end.filter_map(|time| self.zone.from_local_datetime(&time).earliest()).next();
                        end.unwrap() == at
                    }
                }
            })
        };
        match self.when {
            When::Daily(hour, minute) => daily(hour, minute),
            When::LeapDay(hour, minute) => (local.month(), local.day()) == (2, 29) && daily(hour, minute),
            When::Hourly(minutes) => minutes.contains(&local.minute()),
        }
    }

    /// What is to have happened when the clock shows `now`, and nothing was fired since the last tick.
    fn tick(&mut self, now: DateTime<Utc>) {
        let mut due = Vec::new();
        let mut minute = self.since + TimeDelta::minutes(1);
        while minute <= now {
            if self.is_due(minute) {
                due.push(minute);
            }
            minute += TimeDelta::minutes(1);
        }
        self.since = now;
        let Some(last) = due.last() else { return };
        let is_on_time = (now - *last).num_minutes() <= ON_TIME;
        // No job of this test ever ends.
        let is_going = self.overlap == "skip" && self.expected.iter().any(|(_, ran, _)| *ran);
        let run = (is_on_time || self.missed == "run") && !is_going;
        self.expected.push((*last, run, i32::try_from(due.len()).unwrap() - 1));
    }
}

async fn create(app: &TestApp, project: &str, start: DateTime<Utc>, of: &mut Modelled) {
    let body = json!({
        "name": "Modelled", "cron_expression": of.expression, "timezone": of.zone.name(), "repo_id": project,
        "missed": of.missed, "overlap": of.overlap, "enabled": false,
    });
    let made = app.post("/api/v1/jobs", body).await.expect(201);
    of.id = made["job"]["id"].as_str().unwrap().parse().unwrap();
    let mut first = start + TimeDelta::minutes(1);
    while !of.is_due(first) {
        first += TimeDelta::minutes(1);
    }
    let update = "update scheduled_jobs set enabled = true, next_run_at = $2 where id = $1";
    sqlx::query(update).bind(of.id).bind(first).execute(&app.pool).await.unwrap();
    of.since = start;
}

/// What one replica does when it looks: all that is due.
async fn fire_all(database: &Database, at: DateTime<Utc>) {
    while fire_next(database, Some(at)).await.unwrap() {}
}

/// What another clock does: it calls each schedule.
async fn call_all(database: &Database, schedules: &[Uuid], at: DateTime<Utc>) {
    let rights = Rights::everywhere(Role::Admin);
    for id in schedules {
        fire_if_due(database, &Actor::ApiKey, &rights, *id, Some(at)).await.unwrap();
    }
}

async fn check(app: &TestApp, of: &Modelled) {
    let runs: Vec<(DateTime<Utc>, bool, i32)> = sqlx::query_as(
        "select due_at, work_order_id is not null, missed from job_runs where job_id = $1 order by due_at",
    )
    .bind(of.id)
    .fetch_all(&app.pool)
    .await
    .unwrap();
    assert_eq!(runs, of.expected, "{} in {}, missed {}, overlap {}", of.expression, of.zone, of.missed, of.overlap);
    let orders: i64 = sqlx::query_scalar("select count(*) from work_orders where metadata ->> 'job_id' = $1::text")
        .bind(of.id.to_string())
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(orders, i64::try_from(runs.iter().filter(|(_, ran, _)| *ran).count()).unwrap());
}

/// Lets the clock run from `start` for some days, and stand still for a day somewhere.
async fn run(start: &str, days: i64, seed: u64) {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let project = app.project().await;
    let project = project.rsplit('/').next().unwrap();
    let start: DateTime<Utc> = start.parse().unwrap();
    let mut all = Vec::new();
    for (expression, when) in [
        ("30 2 * * *", When::Daily(2, 30)),
        ("0 12 29 2 *", When::LeapDay(12, 0)),
        ("0,40 * * * *", When::Hourly(&[0, 40])),
    ] {
        for (missed, overlap) in [("run", "allow"), ("skip", "allow"), ("run", "skip")] {
            for zone in [Tz::Europe__Berlin, Tz::America__New_York] {
                let (id, since, expected) = (Uuid::nil(), start, Vec::new());
                let mut one = Modelled { id, expression, zone, when, missed, overlap, since, expected };
                create(&app, project, start, &mut one).await;
                all.push(one);
            }
        }
    }
    let ids: Vec<Uuid> = all.iter().map(|one| one.id).collect();
    let (one, other) = (app.database(), app.database());
    let mut random = StdRng::seed_from_u64(seed);
    let (mut now, end, stop) = (start, start + TimeDelta::days(days), random.random_range(20..60));
    for step in 0.. {
        now += if step == stop { TimeDelta::hours(26) } else { TimeDelta::minutes(random.random_range(1..50)) };
        if now > end {
            break;
        }
        all.iter_mut().for_each(|one| one.tick(now));
        tokio::join!(fire_all(&one, now), call_all(&other, &ids, now), fire_all(&other, now));
    }
    for one in &all {
        check(&app, one).await;
    }
    assert!(all.iter().map(|one| one.expected.len()).sum::<usize>() > 100);
}

#[tokio::test]
async fn clocks_that_are_set_forward() {
    Box::pin(run("2027-03-12T00:00:00Z", 4, 1)).await;
    Box::pin(run("2027-03-26T00:00:00Z", 4, 2)).await;
}

#[tokio::test]
async fn clocks_that_are_set_back() {
    Box::pin(run("2027-10-29T00:00:00Z", 4, 3)).await;
    Box::pin(run("2027-11-05T00:00:00Z", 4, 4)).await;
}

#[tokio::test]
async fn a_leap_day() {
    Box::pin(run("2028-02-27T00:00:00Z", 4, 5)).await;
}
