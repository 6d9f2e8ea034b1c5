//! The API ends as a kill does, at each of ten points around a launch in the cloud; the next one goes on. Each time there is
//! one agent, one attempt, and the right end.

use crate::cloud::{SOON, VERSIONS, World, config};
use terarchitect_cursor::Version;
use terarchitect_testbed::cursor::{End, When};
use terarchitect_testbed::forge::{OnCall, Trouble};

/// Where the API ends.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// When the order was created.
    Created,
    /// When a call that looks for the agent has arrived, or was done.
    Find(When),
    /// When the launch has arrived, but is not done; or is done, and its response does not come.
    Launch(When),
    /// When the response was lost, and the agent is looked for.
    LostThenFind(When),
    /// When the launch is done, and can't be noted.
    Note,
    /// When the launch was noted.
    Noted,
    /// When a look at the agent has arrived, or was done.
    Look(When),
    /// When the agent has ended, and that can't be noted.
    End,
}

const POINTS: [Point; 11] = [
    Point::Created,
    Point::Find(When::Before),
    Point::Find(When::After),
    Point::Launch(When::Before),
    Point::Launch(When::After),
    Point::LostThenFind(When::Before),
    Point::Note,
    Point::Noted,
    Point::Look(When::Before),
    Point::Look(When::After),
    Point::End,
];

async fn crash_at(version: Version, point: Point) {
    let mut world = World::new(version, SOON).await;
    let has_find = version == Version::V0;
    let mut hold = match point {
        // In v1 nothing is looked for: the id is enough.
        Point::Find(when) if has_find => Some(world.cloud.hold("GET", "/agents", when)),
        Point::Launch(when) | Point::Find(when) => Some(world.cloud.hold("POST", "/agents", when)),
        Point::LostThenFind(when) => {
            let lost = OnCall { method: "POST", ends: "/agents", times: 1, what: Trouble::Lost };
            world.cloud.trouble(lost);
            // The first one passes.
            let again = if has_find { ("GET", "/agents") } else { ("POST", "/agents") };
            let first = world.cloud.hold(again.0, again.1, When::Before);
            drop(first);
            Some(world.cloud.hold(again.0, again.1, when))
        }
        _ => None,
    };
    let order = world.order().await;
    let mut blocked = None;
    match point {
        Point::Created => {}
        Point::Find(_) | Point::Launch(_) | Point::LostThenFind(_) => hold.as_mut().unwrap().arrived().await,
        Point::Note => {
            let mut tx = world.app.pool.begin().await.unwrap();
            let lock = "select from work_orders for update";
            sqlx::query(lock).execute(&mut *tx).await.unwrap();
            world.app.eventually(async || world.cloud.agents().len() == 1).await;
            blocked = Some(tx);
        }
        Point::Noted | Point::Look(_) | Point::End => {
            world.app.eventually(async || world.read(&order).await["cursor_agent_id"].is_string()).await;
        }
    }
    match point {
        Point::Look(when) => {
            let id = world.cloud.agents()[0].id.clone();
            let mut look = world.cloud.hold("GET", Box::leak(id.into_boxed_str()), when);
            look.arrived().await;
            hold = Some(look);
        }
        Point::End => {
            let mut tx = world.app.pool.begin().await.unwrap();
            sqlx::query("select from agent_jobs for update").execute(&mut *tx).await.unwrap();
            let id = world.cloud.agents()[0].id.clone();
            world.cloud.end(&id, &End::finished("Done.", Some("https://github.com/demo/hello/pull/42")));
            let done = "select exists (select from tickets where status = 'completed')";
            world.app.eventually(async || sqlx::query_scalar(done).fetch_one(&world.app.pool).await.unwrap()).await;
            blocked = Some(tx);
        }
        _ => {}
    }
    let next = config(&world.cloud, version, SOON, &world.forge);
    world.app.restart(next).await;
    drop(blocked);
    if let Some(mut hold) = hold {
        hold.gone().await;
    }
    // The next process goes on when a call of the killed one can't be on its way any more; that time is over here. What the killed one
    // has sent to the database may come after this, so it is said until it counts.
    let over = "update cloud_agents set next_at = now() where state <> 'ended' and next_at > now()";
    let goes_on = async || {
        sqlx::query(over).execute(&world.app.pool).await.unwrap();
        world.read(&order).await["cursor_agent_id"].is_string()
    };
    world.app.eventually(goes_on).await;
    let id = world.cloud.agents()[0].id.clone();
    world.cloud.end(&id, &End::finished("Done.", Some("https://github.com/demo/hello/pull/42")));
    let done = world.until(&order, "completed").await;
    assert_eq!(done["pr_number"], 42, "{version} at {point:?}");
    assert_eq!(world.cloud.agents().len(), 1, "{version} at {point:?}");
    let attempts: Vec<(i32, String)> =
        sqlx::query_as("select attempt, outcome from agent_job_attempts").fetch_all(&world.app.pool).await.unwrap();
    assert_eq!(attempts, [(1, "completed".to_owned())], "{version} at {point:?}");
}

#[tokio::test]
async fn one_launch_whenever_the_api_ends() {
    for version in VERSIONS {
        for point in POINTS {
            crash_at(version, point).await;
        }
    }
}
