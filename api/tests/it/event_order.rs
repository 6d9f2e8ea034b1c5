//! The event log under load: interleaved transactions on one database, two replicas, readers that reconnect at random.
//! Every reader gets each event once, in an order that never contradicts the history of a row.

use crate::support::TestApp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::header::ACCEPT;
use serde_json::Value;
use sqlx::PgPool;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

const WRITERS: u64 = 8;
const TRANSACTIONS: u64 = 625;
const READERS: u64 = 6;
/// Two in each transaction.
const EVENTS: usize = (WRITERS * TRANSACTIONS * 2) as usize;
const ROWS: i64 = 12;

/// Transactions that each change two rows, and write what they did. Half of them take their transaction id and a sequence
/// number long before they lock a row; a tenth commits late.
async fn write(pool: PgPool, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..TRANSACTIONS {
        let (mut first, mut second) = (random.random_range(0..ROWS), random.random_range(0..ROWS));
        if first > second {
            std::mem::swap(&mut first, &mut second);
        }
        let mut tx = pool.begin().await.unwrap();
        if random.random_bool(0.5) {
            sqlx::query("select pg_current_xact_id(), nextval(pg_get_serial_sequence('events', 'seq'))")
                .execute(&mut *tx)
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_micros(random.random_range(0..3_000))).await;
        }
        for row in [first, second] {
            let change =
                "with changed as (update versions set version = version + 1 where id = $1 returning id, version)
                insert into events (kind, actor, data)
                select 'ticket.changed', 'test', jsonb_build_object('row', id, 'version', version) from changed";
            sqlx::query(change).bind(row).execute(&mut *tx).await.unwrap();
        }
        if random.random_bool(0.1) {
            tokio::time::sleep(Duration::from_millis(random.random_range(1..15))).await;
        }
        // Some changes are announced, as the API's own are; the others are found all the same.
        if random.random_bool(0.2) {
            sqlx::query("select notify_events()").execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

/// Follows the log from its start on either replica, and reconnects at random.
async fn read(bases: [String; 2], http: reqwest::Client, seed: u64) -> (Vec<Value>, usize) {
    let mut random = StdRng::seed_from_u64(1_000 + seed);
    let (mut events, mut last, mut connections) = (Vec::new(), None::<String>, 0);
    while events.len() < EVENTS {
        let base = &bases[random.random_range(0..2)];
        let mut request = http.get(format!("{base}/api/events?after=start&kind=ticket.changed"));
        request = request.header(ACCEPT, "text/event-stream");
        if let Some(last) = &last {
            request = request.header("last-event-id", last);
        }
        let mut response = request.send().await.unwrap();
        connections += 1;
        // A part of an event at the end of a connection is lost, as with any client.
        let (mut text, leave_after) = (String::new(), random.random_range(1..400));
        let mut taken = 0;
        while taken < leave_after && events.len() < EVENTS {
            let Some(chunk) = response.chunk().await.unwrap_or(None) else { break };
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = text.find("\n\n") {
                let block: String = text.drain(..end + 2).collect();
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                last = field("id: ").or(last);
                if let Some(data) = field("data: ") {
                    events.push(serde_json::from_str(&data).unwrap());
                    taken += 1;
                }
                // In the middle of a batch, too.
                if taken >= leave_after {
                    break;
                }
            }
        }
    }
    (events, connections)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_gets_each_event_once_and_in_the_order_of_each_rows_history() {
    let app = TestApp::start().await;
    let (other, _replica) = app.replica().await;
    sqlx::raw_sql("create table versions (id bigint primary key, version bigint not null default 0)")
        .execute(&app.pool)
        .await
        .unwrap();
    sqlx::query("insert into versions (id) select generate_series(0, $1 - 1)")
        .bind(ROWS)
        .execute(&app.pool)
        .await
        .unwrap();
    let url = terarchitect_testbed::postgres::TestPostgres::shared().url(&app.database);
    let pool = terarchitect_api::db::connect(url.parse().unwrap(), 8).await.unwrap();
    let readers: Vec<_> = (0..READERS)
        .map(|seed| tokio::spawn(read([app.base.clone(), other.clone()], app.http().clone(), seed)))
        .collect();
    let writers: Vec<_> = (0..WRITERS).map(|seed| tokio::spawn(write(pool.clone(), seed))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        let (events, connections) =
            tokio::time::timeout(Duration::from_secs(120), reader).await.expect("every event arrives").unwrap();
        let seqs: HashSet<i64> = events.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
        assert_eq!((events.len(), seqs.len()), (EVENTS, EVENTS), "each event once, over {connections} connections");
        assert!(connections > 10, "only {connections} connections");
        let mut versions: HashMap<i64, i64> = HashMap::new();
        for event in &events {
            let (row, version) = (event["data"]["row"].as_i64().unwrap(), event["data"]["version"].as_i64().unwrap());
            let before = versions.insert(row, version).unwrap_or_default();
            assert_eq!(version, before + 1, "row {row}: {event}");
        }
    }
    pool.close().await;
}
