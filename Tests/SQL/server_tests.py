"""Crashes, copies and promotions of servers."""

from harness import *


from servers import *


@test
def a_crash_begins_an_incarnation_and_loses_nothing(url):
    with Server("crash").start() as server:
        load(server.url)
        writer, db = Writer(server.url), connect(server.url)
        tid, quick = topic(db, "a"), one(
            db, "SELECT topic_id FROM sluice.create_topics(ARRAY['q'], true)"
        )
        old = writer.incarnation
        for _ in range(3):
            one(db, EMIT, old, [quick], [1], [1], ["1"], [None])
        acknowledged = 0

        def hammer():
            nonlocal acknowledged
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    acknowledged = writer.append(Request(tid, ["1"] * 3))["last"]

        task = Background(hammer)
        time.sleep(1)
        server.kill()
        task.result()
        server.start()
        db = connect(server.url)
        again = Writer(server.url)
        assert again.incarnation != old, "a crash must begin an incarnation"
        head = one(db, "SELECT latest FROM sluice.ends(%s)", tid)
        assert acknowledged <= head <= acknowledged + 3 and offsets(db, tid) == list(
            range(1, head + 1)
        )
        assert one(
            db, f"SELECT * FROM sluice.resume({NOW}, %s, %s, %s)", tid, old, acknowledged
        ) == (True, acknowledged), "nobody is reset"
        again.id = writer.id  # the batch whose answer the crash took
        request = Request(tid, ["1"] * 3)
        answer = again.settle([request], writer.seq, lambda: [request])
        assert offsets(db, tid) == list(range(1, answer["last"] + 1)) and answer["last"] == max(
            acknowledged + 3, head
        )
        assert one(db, EMIT, again.incarnation, [quick], [1], [1], ["1"], [None]) == [
            0
        ], "an ephemeral topic begins anew"
        assert one(db, f"SELECT goes_on FROM sluice.resume({NOW}, %s, %s, 2)", quick, old) is False
        server.stop()
        server.start()
        assert (
            sessions_incarnation(server.url)[0] == again.incarnation
        ), "a clean restart changes nothing"


@test
def a_restored_dump_and_a_copied_database_are_incarnations_of_their_own(url):
    with Server("dump").start() as server:
        load(server.url)
        writer, db = Writer(server.url), connect(server.url)
        tid = topic(db, "a")
        writer.append(Request(tid, ["1"] * 5))
        db.execute("SELECT sluice.publish('a', '\"outbox\"')")
        dump = server.root / "dump.sql"
        server.run("pg_dump", "-d", server.url, "-f", dump, "-n", "sluice")
        writer.append(Request(tid, ["2"] * 5))
        old = writer.incarnation
        for name, make in (
            ("restored", "CREATE DATABASE restored"),
            ("copied", "CREATE DATABASE copied TEMPLATE postgres"),
        ):
            if name == "copied":
                writer.connection.close()
                db.close()
            connect(server.url.replace("dbname=postgres", "dbname=template1")).execute(make)
            other = server.url.replace("dbname=postgres", f"dbname={name}")
            if name == "restored":
                server.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", other, "-f", dump)
            copy = connect(other)
            assert sessions_incarnation(other)[0] != old, name
            head = 5 if name == "restored" else 10
            assert one(copy, f"SELECT * FROM sluice.resume({NOW}, %s, %s, %s)", tid, old, 10) == (
                head == 10,
                head,
            )
            there = Writer(other)
            assert there.append(Request(tid, ["3"]))["first"] == head + 1
            _, moved = drain_all(copy, there.incarnation)
            assert moved == 1, "the outbox travels"
            copy.close()
        assert sessions_incarnation(server.url)[0] == old, "the original is what it was"
        # Data loaded back over the same tables: same database, same oids, an older state.
        db = connect(server.url)
        server.run("pg_dump", "-d", server.url, "-f", dump, "-n", "sluice", "--data-only")
        tables = ", ".join(
            r[0]
            for r in query(
                db,
                "SELECT 'sluice.' || relname FROM pg_class WHERE relnamespace ="
                " 'sluice'::regnamespace AND relkind = 'r'",
            )
        )
        db.execute(f"TRUNCATE {tables}")
        server.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", server.url, "-f", dump)
        stale = Writer.__new__(Writer)
        stale.connection, stale.incarnation, stale.id, stale.seq = connect(server.url), old, 1, 0
        refused("SL001", stale.append, Request(tid, ["1"]))
        assert sessions_incarnation(server.url)[0] != old


@test
def a_lossless_promotion_resets_nobody(url):
    with Server("first").start() as primary:
        load(primary.url)
        writer = Writer(primary.url)
        tid = topic(connect(primary.url), "a")
        with Server("second", source=primary).start() as standby:
            writer.append(Request(tid, ["1"] * 10))
            eventually(
                lambda: one(connect(standby.url), "SELECT off FROM sluice.head(%s)", tid) == 10
            )
            refused("SL003", sessions_incarnation, standby.url)
            old, system, line = one(writer.connection, "SELECT * FROM sluice.incarnation()")
            primary.stop()
            promoted(primary, standby)
            new, _, later = one(
                connect(standby.url),
                "SELECT * FROM sluice.incarnation(%s, %s, %s)",
                [old],
                system,
                line,
            )
            assert new != old and later > line
            assert one(
                connect(standby.url), f"SELECT * FROM sluice.resume({NOW}, %s, %s, 10)", tid, old
            ) == (True, 10)
            after = Writer(standby.url)
            assert after.append(Request(tid, ["2"]))["first"] == 11
            after.id = writer.id
            assert (
                after.settle([Request(tid, ["1"] * 10)], writer.seq, None)["first"] == 1
            ), "the journal travelled: the first answer"
            # the old primary comes back
            primary.start()
            refused(
                "SL002",
                one,
                connect(primary.url),
                "SELECT * FROM sluice.incarnation(%s, %s, %s)",
                [old, new],
                system,
                later,
            )
            primary.kill()
            primary.start()
            refused(
                "SL002",
                one,
                connect(primary.url),
                "SELECT * FROM sluice.incarnation(%s, %s, %s)",
                [old, new],
                system,
                later,
            )


@test
def a_lossy_promotion_resets_those_who_saw_what_was_lost(url):
    with Server("third").start() as primary:
        load(primary.url)
        writer = Writer(primary.url)
        db = connect(primary.url)
        tid, calm = topic(db, "a"), topic(db, "calm")
        with Server("fourth", source=primary).start() as standby:
            writer.append(Request(tid, ["1"] * 10), Request(calm, ["1"]))
            eventually(
                lambda: one(connect(standby.url), "SELECT off FROM sluice.head(%s)", tid) == 10
            )
            standby.stop()  # it gets nothing of what follows
            old = writer.incarnation
            writer.append(Request(tid, ["2"] * 5))
            db.execute("TRUNCATE sluice.marker")  # nor hears of this incarnation
            lost, system, line = one(db, "SELECT * FROM sluice.incarnation()")
            writer.incarnation = lost
            writer.append(Request(tid, ["3"] * 5))
            primary.kill()
            standby.start()
            promoted(primary, standby)
            db = connect(standby.url)
            new, _, later = one(
                db, "SELECT * FROM sluice.incarnation(%s, %s, %s)", [old, lost], system, line
            )
            assert new not in (old, lost) and later > line
            assert sessions_incarnation(standby.url)[0] == new

            def resume(tid, incarnation, after):
                return one(
                    db, f"SELECT * FROM sluice.resume({NOW}, %s, %s, %s)", tid, incarnation, after
                )

            assert resume(tid, old, 10) == (True, 10) and resume(calm, old, 1) == (
                True,
                1,
            ), "who lost nothing goes on"
            assert resume(tid, old, 11) == (False, 10), "who saw what was lost is reset"
            assert resume(tid, lost, 20) == (
                False,
                0,
            ), "so is a cursor of an incarnation that never came here"
            retry = Writer(standby.url)
            retry.id = writer.id
            assert (
                retry.settle([Request(tid, ["1"] * 10), Request(calm, ["1"])], 1, None)[0]["first"]
                == 1
            ), "not lost"
            request = Request(tid, ["2"] * 5)
            assert (
                retry.settle([request], 2, lambda: [request])["first"] == 11
            ), "lost, so appended again"


@test
def a_lossy_promotion_puts_no_event_into_a_strangers_topic(url):
    with Server("fifth").start() as primary:
        load(primary.url)
        writer, db = Writer(primary.url), connect(primary.url)
        kept_, shared = topic(db, "kept"), topic(db, "shared")
        with Server("sixth", source=primary).start() as standby:
            writer.append(Request(kept_, ["1"]))  # 1: answered, and not lost
            writer.append(Request(kept_, ["2"]))  # 2: not answered, but not lost
            eventually(
                lambda: one(connect(standby.url), "SELECT off FROM sluice.head(%s)", kept_) == 2
            )
            standby.stop()  # it gets nothing of what follows
            old, system, line = one(db, "SELECT * FROM sluice.incarnation()")
            names = dict(
                query(
                    db,
                    "SELECT topic_id, name FROM sluice.create_topics(ARRAY(SELECT 'mine.' || i FROM"
                    " generate_series(1, 99) i))",
                )
            )
            primary_writes = lambda: writer.append(
                Request(shared, ["3"]), *[Request(t, ['"secret"']) for t in sorted(names)]
            )
            primary_writes()  # 3: the answer is lost, and so is the commit
            primary.kill()
            standby.start()
            promoted(primary, standby)
            db = connect(standby.url)
            new = one(
                db, "SELECT incarnation FROM sluice.incarnation(%s, %s, %s)", [old], system, line
            )
            others = dict(
                query(
                    db,
                    "SELECT topic_id, name FROM sluice.create_topics(ARRAY(SELECT 'stranger.' || i"
                    " FROM generate_series(1, 99) i))",
                )
            )
            strangers = sorted(set(names) & set(others))
            assert strangers, "the ids did not meet: the test proves nothing"
            mine, retry = strangers[0], Writer(standby.url)
            retry.id, retry.seq, retry.incarnation = writer.id, 3, old
            for again in (2, 3, None):
                refused("SL001", retry.append, Request(mine, ['"secret"']), again=again)
            retry.incarnation = new

            def anew():  # the names are looked up again: ids belong to an incarnation
                tid = topic(db, names[mine])
                assert tid != mine
                return [Request(topic(db, "shared"), ["3"]), Request(tid, ['"secret"'])]

            assert retry.settle([Request(kept_, ["2"])], 2, None)["first"] == 2, "it had committed"
            shared_, moved = retry.settle(
                [Request(shared, ["3"]), Request(mine, ['"secret"'])], 3, anew
            )
            assert (shared_["first"], moved["first"]) == (
                1,
                1,
            ) and retry.seq == 5, "given up, so appended under a new number"
            assert payloads(db, mine) == [] and payloads(db, topic(db, names[mine])) == ['"secret"']
            refused("SL004", retry.append, Request(shared, ["3"]), again=3)
            assert payloads(db, kept_) == ["1", "2"] and payloads(db, shared) == ["3"]
