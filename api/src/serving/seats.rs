//! Which connections there are, and which of them has to leave for a new one. No IO.
//!
//! A new connection takes the seat of the one that has been idle longest: of its own peer where that has its share already,
//! else of any. Where all are busy, it gets no seat but a place in the reserve, where `/health` is all that is served.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of all peers.
    pub all: usize,
    /// Of one peer.
    pub each: usize,
    /// Without a seat.
    pub reserve: usize,
}

impl Limits {
    /// The usual shares of so many connections. A proxy, or the coordinators of one machine, are one peer, so a peer's share
    /// is large.
    #[must_use]
    pub fn of(all: usize) -> Self {
        Self { all, each: all - all / 4, reserve: 64 }
    }
}

/// What a connection may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Everything.
    Seat,
    /// `/health`.
    Reserve,
}

/// The connections.
#[derive(Debug)]
pub struct Seats {
    limits: Limits,
    taken: Mutex<HashMap<u64, Arc<Connection>>>,
    /// Counts what happens, so that it is known what happened first.
    events: AtomicU64,
}

#[derive(Debug)]
struct Connection {
    peer: IpAddr,
    kind: Kind,
    /// Requests in progress.
    requests: AtomicUsize,
    /// The event since which it has had none.
    idle_since: AtomicU64,
    leave: CancellationToken,
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    connection: Arc<Connection>,
    seats: Arc<Seats>,
}

/// A request in progress.
#[derive(Debug)]
pub(super) struct Busy {
    connection: Arc<Connection>,
    seats: Arc<Seats>,
}

impl Seats {
    /// Empty ones.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default(), events: AtomicU64::new(0) })
    }

    /// A place for a new connection of this peer; another one may have to leave for it.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Seat {
        let (number, peer) = (self.next_event(), peer(address));
        let mut taken = self.lock();
        let kind = self.find_room(&taken, peer);
        let connection = Arc::new(Connection {
            peer,
            kind,
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(number),
            leave: CancellationToken::new(),
        });
        taken.insert(number, connection.clone());
        Seat { number, connection, seats: self.clone() }
    }

    /// Lets the connection leave that has been idle longest: the system has no room for another one.
    pub fn make_room(&self) {
        let taken = self.lock();
        if let Some(idle) = longest_idle(&taken, |_| true) {
            idle.leave.cancel();
        }
    }

    fn find_room(&self, taken: &HashMap<u64, Arc<Connection>>, peer: IpAddr) -> Kind {
        // No peer has more than its share, so nothing need be counted.
        if taken.len() < self.limits.each {
            return Kind::Seat;
        }
        let stay = || taken.values().filter(|connection| !connection.leave.is_cancelled());
        let seats = stay().filter(|connection| connection.kind == Kind::Seat).count();
        let own = stay().filter(|connection| connection.kind == Kind::Seat && connection.peer == peer).count();
        let has_share = own >= self.limits.each;
        if !has_share && seats < self.limits.all {
            return Kind::Seat;
        }
        let may_leave = |other: &Connection| other.kind == Kind::Seat && (!has_share || other.peer == peer);
        if let Some(idle) = longest_idle(taken, may_leave) {
            idle.leave.cancel();
            return Kind::Seat;
        }
        let in_reserve = stay().filter(|connection| connection.kind == Kind::Reserve).count();
        if in_reserve >= self.limits.reserve
            && let Some(idle) = longest_idle(taken, |other| other.kind == Kind::Reserve)
        {
            idle.leave.cancel();
        }
        Kind::Reserve
    }

    fn next_event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn longest_idle(
    taken: &HashMap<u64, Arc<Connection>>,
    may_leave: impl Fn(&Connection) -> bool,
) -> Option<&Arc<Connection>> {
    taken
        .values()
        .filter(|other| other.requests.load(Ordering::Relaxed) == 0 && !other.leave.is_cancelled() && may_leave(other))
        .min_by_key(|other| other.idle_since.load(Ordering::Relaxed))
}

/// Who counts as one peer: an IPv4 address, or the network that a household or a machine has in IPv6.
fn peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

impl Seat {
    pub(super) fn kind(&self) -> Kind {
        self.connection.kind
    }

    /// Marks that a request is in progress.
    pub(super) fn busy(&self) -> Busy {
        self.connection.requests.fetch_add(1, Ordering::Relaxed);
        Busy { connection: self.connection.clone(), seats: self.seats.clone() }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.connection.requests.load(Ordering::Relaxed) > 0
    }

    pub(super) fn was_told_to_leave(&self) -> bool {
        self.connection.leave.is_cancelled()
    }

    /// Returns when the seat is needed for another connection.
    pub(super) async fn has_to_leave(&self) {
        self.connection.leave.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().remove(&self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.connection.idle_since.store(self.seats.next_event(), Ordering::Relaxed);
        self.connection.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn seats() -> Arc<Seats> {
        Seats::new(Limits { all: 4, each: 3, reserve: 1 })
    }

    fn leaves(seat: &Seat) -> bool {
        seat.connection.leave.is_cancelled()
    }

    #[test]
    fn a_peer_with_its_share_takes_the_seat_of_its_own_longest_idle_connection() {
        let seats = seats();
        let others = seats.enter(TWO);
        let own = [seats.enter(ONE), seats.enter(ONE), seats.enter(ONE)];
        // The first has had a request since.
        drop(own[0].busy());
        let new = seats.enter(ONE);
        assert_eq!(new.kind(), Kind::Seat);
        assert_eq!(own.each_ref().map(leaves), [false, true, false]);
        assert!(!leaves(&others));
    }

    #[test]
    fn where_all_seats_are_taken_the_longest_idle_of_anybody_leaves() {
        let seats = seats();
        let own = [seats.enter(ONE), seats.enter(ONE)];
        let others = [seats.enter(TWO), seats.enter(TWO)];
        assert_eq!(seats.enter(TWO).kind(), Kind::Seat);
        assert_eq!((own.each_ref().map(leaves), others.each_ref().map(leaves)), ([true, false], [false, false]));
    }

    #[test]
    fn where_all_are_busy_a_new_connection_gets_into_the_reserve_and_others_keep_their_share() {
        let seats = seats();
        let own = [seats.enter(ONE), seats.enter(ONE), seats.enter(ONE)];
        let busy = own.each_ref().map(Seat::busy);
        let first = seats.enter(ONE);
        assert_eq!(first.kind(), Kind::Reserve);
        assert_eq!(seats.enter(ONE).kind(), Kind::Reserve);
        assert!(leaves(&first), "the reserve is limited as well");
        assert_eq!(seats.enter(TWO).kind(), Kind::Seat);
        assert!(!own.iter().any(leaves));
        drop(busy);
        assert_eq!(seats.enter(ONE).kind(), Kind::Seat);
        drop((own, first));
        assert!(seats.lock().is_empty());
    }

    #[test]
    fn the_addresses_of_one_network_in_ipv6_are_one_peer() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(peer(address("2001:db8::1")), peer(address("2001:db8::ffff:2")));
        assert_ne!(peer(address("2001:db8::1")), peer(address("2001:db8:0:1::1")));
        assert_eq!(peer(address("::ffff:192.0.2.1")), ONE);
    }
}
