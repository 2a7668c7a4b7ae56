"""drain: once, in order, and past whatever is locked."""

from harness import *


@test
def the_drain_finds_every_late_transaction(url):
    """Those that commit after others with higher ids were moved, on either side of the xmax."""
    db, writer = connect(url), Writer(url)
    tid = topic(db, "late")
    state, _ = drain_all(db, writer.incarnation)
    early, late, quick = (connect(url, autocommit=False) for _ in range(3))
    early.execute("SELECT pg_current_xact_id()")
    quick.execute("SELECT pg_current_xact_id()")
    late.execute(
        "SELECT sluice.publish('late', '\"late\"')"
    )  # its number is above quick's: not in quick's xip
    early.execute("SELECT sluice.publish('late', '\"early\"')")
    quick.execute("SELECT sluice.publish('late', '\"quick\"')")
    quick.commit()
    state, moved = drain_all(db, writer.incarnation, state)
    assert moved == 1
    for expected, session in (("late", late), ("early", early)):
        assert drain_all(db, writer.incarnation, state)[1] == 0
        session.commit()
        state, moved = drain_all(db, writer.incarnation, state)
        assert moved == 1, f"{expected} was not found"
    assert payloads(db, tid) == ['"quick"', '"late"', '"early"']
    # Late rows and new ones together, in steps smaller than either: lowest ids first, nothing is
    # passed over.
    early.execute(
        "SELECT sluice.publish('late', to_json(i || repeat('x', 100))) FROM generate_series(1, 3) i"
    )
    late.execute("SELECT sluice.publish('late', '0')")
    late.commit()
    state, _ = drain_all(db, writer.incarnation, state)
    late.execute("SELECT sluice.publish('late', i::text) FROM generate_series(4, 6) i")
    late.commit()
    early.commit()
    state, moved = drain_all(db, writer.incarnation, state, lim=2)
    assert [json.loads(p)[:1] if len(p) > 9 else p for p in payloads(db, tid)[3:]] == [
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
    ], payloads(db, tid)
    # A committed before B's call began, although B's transaction is older: A comes first, in steps
    # of one row too.
    b, a = connect(url, autocommit=False), connect(url)
    b.execute("SELECT pg_current_xact_id()")
    b.execute("SELECT sluice.publish('late', '\"b0\"')")
    a.execute("SELECT sluice.publish('late', '\"a\"')")
    b.execute("SELECT sluice.publish('late', '\"b1\"')")
    b.commit()
    drain_all(db, writer.incarnation, state, lim=1)
    assert payloads(db, tid)[10:] == ['"b0"', '"a"', '"b1"']


@test
def everything_committed_is_drained_once_whatever_publishers_do(url):
    db, stop, seed = connect(url), threading.Event(), random.random()
    holder = connect(url, autocommit=False)
    holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    holder.execute("SELECT 1 FROM sluice.topics")
    committed, lock = [], threading.Lock()

    def publish(number):
        rng, session = random.Random(f"{seed}{number}"), connect(url, autocommit=False)
        for turn in range(60):
            session.execute(
                "SET TRANSACTION ISOLATION LEVEL "
                + rng.choice(["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
            )
            mine = []
            for i in range(rng.randint(1, 5)):
                name = f"storm.{rng.randrange(3)}"
                entry = (name, f"{number}.{turn}.{i}")
                session.execute("SAVEPOINT s")
                session.execute(
                    "SELECT sluice.publish(%s, to_json(%s::text), wake => %s)",
                    [name, entry[1], rng.random() < 0.2],
                )
                if rng.random() < 0.2:
                    session.execute("ROLLBACK TO s")
                else:
                    mine.append(entry)
                if rng.random() < 0.1:
                    time.sleep(0.1)
            if rng.random() < 0.2:
                session.rollback()
                continue
            try:
                session.commit()
            except errors.SerializationFailure:
                session.rollback()
                continue
            with lock:
                committed.extend(mine)

    def drain(number):
        session, incarnation, rng = (
            connect(url),
            Writer(url).incarnation,
            random.Random(f"{seed}{number}"),
        )
        state, moved = None, 0
        while True:
            over = stop.is_set()
            state, some, dead, more, *_, waiting = one(
                session,
                "SELECT * FROM sluice.drain(%s, %s, %s)",
                incarnation,
                state,
                rng.choice([1, 3, 50]),
            )
            assert dead == 0
            moved += some
            waited[number] += waiting
            if (
                over
                and not more
                and not some
                and not one(session, "SELECT EXISTS (SELECT FROM sluice.outbox_waiting)")
            ):
                return moved

    def lock_topics():
        rng, session = random.Random(f"{seed} locks"), connect(url, autocommit=False)
        while not stop.is_set():
            for number in sorted(rng.sample(range(3), rng.randint(1, 2))):
                one(
                    session,
                    "SELECT pg_advisory_xact_lock(4740, topic_id) FROM"
                    " sluice.create_topics(ARRAY[%s])",
                    f"storm.{number}",
                )
                session.commit() if rng.random() < 0.3 else None
            stop.wait(rng.random() * 0.05)
            session.rollback()

    locker = Background(lock_topics)
    waited = collections.Counter()
    drainers = [Background(drain, n) for n in range(2)]
    publishers = [Background(publish, n) for n in range(6)]
    for publisher in publishers:
        publisher.result(120)
    stop.set()
    locker.result()
    moved = sum(drainer.result(120) for drainer in drainers)
    holder.rollback()
    found = []
    for name in sorted({name for name, _ in committed}):
        found += [(name, json.loads(p)) for p in payloads(db, topic(db, name))]
    assert sorted(found) == sorted(committed), f"seed {seed}: {len(found)} of {len(committed)}"
    assert one(db, "SELECT count(*) FROM sluice.outbox") == 0 and moved == len(committed)
    assert waited.total() > 0, "no row had to wait: the test proves nothing"
    for name in {name for name, _ in committed}:
        by_tx = collections.defaultdict(list)
        for other, value in found:
            if other == name:
                number, turn, i = map(int, value.split("."))
                by_tx[number].append((turn, i))
        assert all(v == sorted(v) for v in by_tx.values()), "statement order"


@test
def a_topic_deleted_under_the_drain_loses_nothing(url):
    db, other, writer = connect(url), connect(url, autocommit=False), Writer(url)
    tid = topic(db, "deleted.drain")
    state, _ = drain_all(db, writer.incarnation)
    db.execute(
        "SELECT sluice.publish('deleted.drain', '1'), sluice.publish('deleted.drain', '2', event_id"
        " => 'e')"
    )
    one(other, "SELECT sluice.delete_topic(%s)", tid)
    state, moved, dead, waiting = one(
        db,
        "SELECT state, moved, dead, waiting FROM sluice.drain(%s, %s)",
        writer.incarnation,
        state,
    )
    assert (moved, dead, waiting) == (0, 0, 2), "it waits for nobody"
    other.commit()
    assert one(db, "SELECT moved, dead FROM sluice.drain(%s, %s)", writer.incarnation, state) == (
        2,
        0,
    )
    heir = topic(db, "deleted.drain")
    assert heir != tid and payloads(db, heir) == ["1", "2"] and payloads(db, tid) == []


@test
def a_locked_topic_stops_no_other(url):
    db, writer, holder = connect(url), Writer(url), connect(url, autocommit=False)
    held, calm = topic(db, "locked.held"), topic(db, "locked.calm")
    state, _ = drain_all(db, writer.incarnation)
    step = "SELECT state, moved, dead, more, waiting FROM sluice.drain(%s, %s, %s)"

    def publish(name, *values):
        for value in values:
            db.execute("SELECT sluice.publish(%s, %s::text)", [name, value])

    late = connect(url, autocommit=False)
    late.execute("SELECT sluice.publish('locked.held', '\"late\"')")
    one(holder, "SELECT pg_advisory_xact_lock(4740, %s)", held)
    publish("locked.held", "1", "2")
    publish("locked.calm", "1")
    publish("locked.held", "3")
    publish("locked.new", "1")  # is created, and locked by nobody
    db.execute("SET lock_timeout = '1ms'")  # whoever waits fails
    state, *rest = one(db, step, writer.incarnation, state, 2000)
    assert rest == [2, 0, False, 3], rest
    assert payloads(db, calm) == ["1"] and payloads(db, topic(db, "locked.new")) == ["1"]
    publish("locked.calm", "2")
    publish("locked.held", "4")
    state, *rest = one(db, step, writer.incarnation, state, 2000)
    assert rest == [1, 0, False, 1], rest
    state, *rest = one(db, step, writer.incarnation, state, 2000)
    assert rest == [0, 0, False, 0], "not called again at once"
    publish("locked.held", "5", "6", "7")
    holder.rollback()
    # In steps smaller than what waits: behind it comes what is in the outbox, and all in its order.
    drained = []
    while True:
        state, moved, dead, more, _ = one(db, step, writer.incarnation, state, 2)
        drained.append(moved)
        if not more:
            break
    assert payloads(db, held) == list("1234567") and sum(drained) == 7, drained
    late.commit()
    # Another node, whose state is older: nothing is moved twice, nothing is passed over.
    assert drain_all(db, writer.incarnation)[1] == 1
    assert (
        payloads(db, held)[7:] == ['"late"']
        and one(db, "SELECT count(*) FROM sluice.outbox_waiting") == 0
    )


@test
def a_locked_catalog_stops_only_topics_that_are_new(url):
    db, writer, holder = connect(url), Writer(url), connect(url, autocommit=False)
    tid = topic(db, "catalog.known")
    state, _ = drain_all(db, writer.incarnation)
    one(holder, "SELECT sluice.next_version()")
    db.execute("SELECT sluice.publish('catalog.new', '1'), sluice.publish('catalog.known', '1')")
    db.execute("SET lock_timeout = '1ms'")
    state, moved, dead, waiting = one(
        db,
        "SELECT state, moved, dead, waiting FROM sluice.drain(%s, %s)",
        writer.incarnation,
        state,
    )
    assert (moved, dead, waiting) == (1, 0, 1) and payloads(db, tid) == ["1"]
    holder.rollback()
    assert one(db, "SELECT moved, dead FROM sluice.drain(%s, %s)", writer.incarnation, state) == (
        1,
        0,
    )
    assert payloads(db, topic(db, "catalog.new")) == ["1"]
    # Creation was forbidden while a row waited: it dies with its reason.
    one(holder, "SELECT sluice.next_version()")
    db.execute("SELECT sluice.publish('catalog.forbidden', '1')")
    assert one(db, "SELECT waiting FROM sluice.drain(%s, NULL)", writer.incarnation) == 1
    holder.rollback()
    db.execute("UPDATE sluice.settings SET create_topics = false")
    try:
        assert one(db, "SELECT moved, dead FROM sluice.drain(%s, NULL)", writer.incarnation) == (
            1,
            1,
        )
    finally:
        db.execute("UPDATE sluice.settings SET create_topics = true")
    assert query(db, "SELECT reason FROM sluice.outbox_dead WHERE topic = 'catalog.forbidden'") == [
        ("topic_not_found",)
    ]


@test
def the_digest_covers_key_and_attributes(url):
    db, writer = connect(url), Writer(url)
    tid = topic(db, "digest.a")
    events = [
        ("1", None, None, "a"),
        ("1", "k", None, "b"),
        ("1", None, '{"x": 1}', "c"),
        ('"é"', "ü", '{"x":"ö"}', "d"),
        ("1", "", None, "e"),
    ]

    def publish(data, key, attributes, event_id):
        db.execute(
            "SELECT sluice.publish('digest.a', %s::text, %s, %s, %s)",
            [data, key, event_id, attributes],
        )

    for event in events:
        publish(*event)
    assert drain_all(db, writer.incarnation)[1] == 5
    digests = dict(query(db, "SELECT key, digest FROM sluice.keys WHERE topic_id = %s", tid))
    for data, key, attributes, event_id in events:
        material = (
            data
            if key is None and attributes is None
            else f"{data}\0{key or ''}\0\0{attributes or ''}"
        )
        assert digests[f"e:{event_id}"] == hashlib.sha256(material.encode()).digest()[:16], event_id
    for event in events:
        publish(*event)
    assert drain_all(db, writer.incarnation)[1] == 5 and len(payloads(db, tid)) == 5, "repeats"
    publish("1", "k", None, "a")
    publish("1", "other", None, "b")
    publish("1", None, '{"x": 2}', "c")
    assert one(db, "SELECT moved, dead FROM sluice.drain(%s, NULL)", writer.incarnation) == (3, 3)
    assert query(db, "SELECT DISTINCT reason FROM sluice.outbox_dead WHERE topic = 'digest.a'") == [
        ("idempotency_conflict",)
    ]


@test
def the_digest_leaves_the_trace_context_out(url):
    """TraceContextTests has the same of the broker's side."""
    db, writer = connect(url), Writer(url)
    for attributes, rest in [
        ("{}", None),
        ("{ }", None),
        ('{"traceparent":"x"}', None),
        ('{ "tracestate" : "x" , "traceparent":"y" }', None),
        ('{"a":"b"}', '{"a":"b"}'),
        ('{ "a" : "b" }', '{ "a" : "b" }'),
        ('{"traceparent":"x","a":"b"}', '{"a":"b"}'),
        ('{ "traceparent" : "x" , "a":"b" }', '{"a":"b" }'),
        ('{"a":"b","traceparent":"x"}', '{"a":"b"}'),
        ('{"a":"b" , "traceparent":"x\\"," , "c":"d"}', '{"a":"b"  , "c":"d"}'),
        ('{"traceparent":"x", "tracestate":"y" ,"a":"b"}', '{"a":"b"}'),
        (
            '{"a":",\\"traceparent\\":\\"x\\"","b":"traceparent"}',
            '{"a":",\\"traceparent\\":\\"x\\"","b":"traceparent"}',
        ),
        ('{"\\"traceparent":"x","b":"\\\\"}', '{"\\"traceparent":"x","b":"\\\\"}'),
        ('{"a":"\\\\","traceparent":"x\\\\"}', '{"a":"\\\\"}'),
    ]:
        assert one(db, "SELECT sluice.untraced(%s)", attributes) == rest, attributes
    tid = topic(db, "traced")

    def publish(event_id, attributes):
        db.execute("SELECT sluice.publish('traced', '1', NULL, %s, %s)", [event_id, attributes])

    publish("a", '{"traceparent":"x"}')
    publish("a", '{"traceparent":"y","tracestate":"z"}')
    publish("a", None)
    publish("b", '{"k":"v","traceparent":"x"}')
    publish("b", '{"k":"v"}')
    assert drain_all(db, writer.incarnation)[1] == 5 and len(payloads(db, tid)) == 2, "repeats"
    digests = dict(query(db, "SELECT key, digest FROM sluice.keys WHERE topic_id = %s", tid))
    for key, material in (("e:a", "1"), ("e:b", '1\0\0\0{"k":"v"}')):
        assert digests[key] == hashlib.sha256(material.encode()).digest()[:16], key


@test
def one_drains_at_a_time_and_nobody_waits(url):
    first, second, writer = connect(url, autocommit=False), connect(url), Writer(url)
    call = "SELECT state, moved, parts FROM sluice.drain(%s, %s)"
    second.execute("SELECT sluice.publish('one.drain', '1')")
    state, moved, parts = one(first, call, writer.incarnation, None)
    assert moved == 1 and parts.endswith(":1-1")
    assert Background(one, second, call, writer.incarnation, "as it was").result(10) == (
        "as it was",
        0,
        None,
    )
    first.rollback()  # a drain that fails moves nothing, and may be repeated with any older state
    assert one(second, call, writer.incarnation, None)[1] == 1
    assert one(second, call, writer.incarnation, None)[1] == 0
    assert len(payloads(second, topic(second, "one.drain"))) == 1
    second.execute("SELECT sluice.publish('one.drain', '2')")
    assert (
        one(second, call, writer.incarnation, "0000000000 5:5: 999999999999 6")[1] == 1
    ), "a state of another incarnation"


@test
def the_drain_does_not_rescan(url):
    db, writer = connect(url), Writer(url)
    state, _ = drain_all(db, writer.incarnation)

    def fill(count):
        db.execute(
            "INSERT INTO sluice.outbox(tx, topic, payload) SELECT x, 'rescan', '1' FROM (SELECT"
            " pg_current_xact_id() AS x OFFSET 0) t, generate_series(1, %s)",
            [count],
        )

    def cost(function):
        pid = one(db, "SELECT pg_backend_pid()")
        before = cpu(pid)
        function()
        return cpu(pid) - before

    def idle():
        nonlocal state
        for _ in range(20):
            state, *_ = one(db, "SELECT * FROM sluice.drain(%s, %s)", writer.incarnation, state)

    def drain():
        nonlocal state
        state, _ = drain_all(db, writer.incarnation, state)

    idle()
    empty = cost(idle) / 20
    holder = connect(url, autocommit=False)
    holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    holder.execute("SELECT 1 FROM sluice.topics")
    fill(4000)
    drain()
    fill(10000)
    small = cost(drain) / 10000
    fill(60000)
    large = cost(drain) / 60000
    dead = cost(idle) / 20
    bulk = connect(url, autocommit=False)
    bulk.execute(
        "INSERT INTO sluice.outbox(tx, topic, payload) SELECT x, 'rescan', '1' FROM (SELECT"
        " pg_current_xact_id() AS x OFFSET 0) t, generate_series(1, 50000)"
    )
    idle()
    running = cost(idle) / 20
    bulk.commit()
    after = cost(drain) / 50000
    holder.rollback()
    print(
        f"    poll {empty:.0f} µs, with 74000 dead rows {dead:.0f}, with a writer of 50000 running"
        f" {running:.0f}; a row {small:.1f} µs, of 60000 {large:.1f}, of a late transaction"
        f" {after:.1f}"
    )
    assert (
        dead < 3 * empty + 100 and running < 3 * empty + 300
    ), "polls rescan dead rows or a running transaction's"
    assert large < 2 * small and after < 2.5 * small, "a backlog costs more than linearly"
