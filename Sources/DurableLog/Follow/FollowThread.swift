internal import EventModel
internal import Logging
internal import PostgresBridge

/// The following thread: LISTEN as a hint, the journal each second as the truth, pages for what is
/// missing (doc:AppendAndFollow).
///
/// Never inside a transaction: a listener that idles in one stops PostgreSQL from cleaning the
/// notification queue.
final class FollowThread {
    /// How late an event comes whose announce was lost; others wait for no poll.
    private static let pollInterval = Duration.seconds(1)
    /// A new follower polls faster for its first two seconds: an announce may have come just before
    /// its LISTEN.
    private static let firstPollInterval = Duration.milliseconds(100)
    private static let firstPolls = 20
    /// The journal is kept for an hour only; what was missed for longer is told by the heads alone.
    private static let headsInterval = Duration.seconds(60)
    private static let pagesPerTurn = 8
    private static let selfTestInterval = Duration.seconds(10)

    private let inbox: FollowInbox
    private let context: LogContext
    private let followed: FollowedTopics
    private var journal: JournalReader
    private var ephemera: EphemeralReader
    private var pause = ReconnectPause()
    /// Requests that wait for the database.
    private var waiting: [FollowRequest] = []
    private var isConnecting = false

    init(_ inbox: FollowInbox) {
        self.inbox = inbox
        context = inbox.context
        followed = inbox.followed
        journal = JournalReader(context, followed)
        ephemera = EphemeralReader(followed, in: "")
    }

    func run() {
        while !inbox.isStopped {
            do throws(PostgresError) {
                let (connection, entered) = try connect()
                defer { connection.close() }
                try follow(connection, entered)
            } catch {
                if !inbox.isStopped { inbox.watch.lost(error) }
            }
            inbox.isListening = false
            guard !inbox.isStopped else { break }
            refuseLateRequests()
            _ = inbox.wakeup.wait(timeout: pause.next())
            collectNotes()
        }
        for request in waiting {
            request.completion(.failure(LogContext.unavailable("The log is closed.")))
        }
    }

    private func connect() throws(PostgresError) -> (PostgresConnection, String) {
        isConnecting = true
        defer { isConnecting = false }
        return try context.connect(
            role: "follower", conninfo: context.listenConninfo, while: { [self] in isWanted() }
        ) { connection throws(PostgresError) in
            // It may seem to work: by chance, the server connection is the same for a while.
            if connection.isBehindPooler, context.listenConninfo == nil {
                throw Self.heardNothing("a pooler is in between, and listen_url is not set")
            }
            try Migrator.requireCurrentSchema(on: connection)
            try PageReading.prepare(on: connection)
            _ = try connection.query("LISTEN \(JournalAnnounce.channel)")
            _ = try connection.query("LISTEN \(OutboxDrain.wakeChannel)")
            _ = try connection.query("LISTEN \(selfTestChannel(connection))")
        }
    }

    /// Asked while the connection waits: a stop is obeyed, a server that does not answer is left,
    /// and while the connection comes up, requests do not wait longer than they may.
    private func isWanted() -> Bool {
        if isConnecting {
            collectNotes()
            refuseLateRequests()
        }
        return !inbox.watch.isStuck && !inbox.isStopped
    }

    private func selfTestChannel(_ connection: PostgresConnection) -> String {
        "sluice_self_\(connection.backendPID)"
    }

    private func refuseLateRequests() {
        let now = ContinuousClock.now
        let late = waiting.filter { $0.deadline <= now }
        waiting.removeAll { $0.deadline <= now }
        for request in late {
            followed.abandonStart(of: request.topics)
            request.completion(.failure(LogContext.unavailable("The database cannot be reached.")))
        }
    }

    // MARK: A connection's life

    private func follow(
        _ connection: PostgresConnection, _ entered: String
    ) throws(PostgresError) {
        ephemera = EphemeralReader(followed, in: entered)
        try ephemera.listenIfNeeded(on: connection)
        try journal.begin(in: entered, on: connection)
        try FollowRestart(context, followed).restart(in: entered, on: connection)
        try journal.readCatalog(on: connection)
        try refreshHeads(connection, entered)
        try readHoles(connection, entered)
        try testNotifications(connection)
        pause.reset()
        inbox.isListening = true
        inbox.watch.wentUp(in: entered)
        try listen(connection, entered)
    }

    private func listen(
        _ connection: PostgresConnection, _ entered: String
    ) throws(PostgresError) {
        var polls = 0
        var nextPoll = ContinuousClock.now
        var nextHeads = nextPoll + Self.headsInterval
        var nextTest = nextPoll + Self.selfTestInterval
        while !inbox.isStopped {
            try asking { () throws(PostgresError) in
                try hear(connection.notifications(), on: connection)
            }
            try asking { () throws(PostgresError) in try obeyNotes(connection, entered) }
            let now = ContinuousClock.now
            if now >= nextPoll {
                try asking { () throws(PostgresError) in try journal.poll(on: connection) }
                polls += 1
                nextPoll =
                    now + (polls < Self.firstPolls ? Self.firstPollInterval : Self.pollInterval)
            }
            if now >= nextHeads {
                try asking { () throws(PostgresError) in
                    try refreshHeads(connection, entered)
                    try journal.prune(on: connection)
                    try ephemera.rest(on: connection)
                }
                nextHeads = now + Self.headsInterval
            }
            if now >= nextTest {
                try asking { () throws(PostgresError) in try testNotifications(connection) }
                nextTest = now + Self.selfTestInterval
            }
            // Another part of this node entered another incarnation: this connection is of the old
            // one.
            guard context.incarnation.current == entered else { return }
            try asking { () throws(PostgresError) in try readHoles(connection, entered) }
            let pause = followed.hasHole ? .zero : max(nextPoll - ContinuousClock.now, .zero)
            _ = try connection.wait(inbox.wakeup, timeout: pause)
        }
    }

    /// A step that may take `PartHistory.patience`, and then ends with the connection: the follower
    /// finds the log elsewhere, and the rest of the node follows it.
    private func asking(_ step: () throws(PostgresError) -> Void) throws(PostgresError) {
        inbox.watch.asked()
        try step()
        inbox.watch.answered()
    }

    private func hear(
        _ notifications: [PostgresNotification], on connection: PostgresConnection
    ) throws(PostgresError) {
        var notices: [EphemeralNotice] = []
        for notification in notifications {
            switch notification.channel {
            case JournalAnnounce.channel:
                guard let announce = JournalAnnounce(payload: notification.payload) else { break }
                try journal.heard(announce, on: connection)
            case EphemeralNotice.channel:
                if let notice = EphemeralNotice(payload: notification.payload) {
                    notices.append(notice)
                }
            case OutboxDrain.wakeChannel: inbox.housekeeper.drainSoon()
            default: break
            }
        }
        if !notices.isEmpty { try ephemera.heard(notices, on: connection) }
    }

    /// A pooler may take LISTEN and forget it: a notification to oneself shows it.
    private func testNotifications(_ connection: PostgresConnection) throws(PostgresError) {
        let channel = selfTestChannel(connection)
        _ = try connection.query(
            "SELECT pg_notify($1, '')", [.text(channel)], timeout: LogContext.controlTimeout)
        let heard = try connection.notifications()
        guard heard.contains(where: { $0.channel == channel }) else {
            throw Self.heardNothing("LISTEN brings no notifications")
        }
        try hear(heard, on: connection)
    }

    private static func heardNothing(_ why: String) -> PostgresError {
        PostgresError(
            kind: .connectionLost, message: why,
            hint: "Set listen_url to the server itself; to a pooler only if it is in session mode.")
    }

    private func refreshHeads(
        _ connection: PostgresConnection, _ entered: String
    ) throws(PostgresError) {
        let ends = try PageReading.ends(of: followed.topicIDs, in: entered, on: connection)
        // Registered topics whose request came before the connection was lost.
        followed.start(ends, answering: [])
        // Notifications come in the order of the commits, so behind one's own test all that these
        // heads count has been heard.
        if followed.hasEphemeral { try testNotifications(connection) }
        followed.refresh(ends, in: entered)
    }

    // MARK: Notes

    private func collectNotes() {
        for note in inbox.takeNotes() {
            switch note {
            case .follow(let request): waiting.append(request)
            case .unfollow(let topics): unfollow(topics)
            case .unfollowPatterns(let patterns): unfollow(patterns)
            }
        }
    }

    private func unfollow(_ patterns: [TopicPattern]) {
        for index in waiting.indices { waiting[index].patterns.removeAll { patterns.contains($0) } }
        for pattern in patterns { followed.unfollow(pattern) }
    }

    private func unfollow(_ topics: [TopicName]) {
        let gone = Set(topics)
        // Who asked before is answered without them.
        for index in waiting.indices { waiting[index].topics.removeAll { gone.contains($0) } }
        followed.unfollow(topics)
    }

    private func obeyNotes(
        _ connection: PostgresConnection, _ entered: String
    ) throws(PostgresError) {
        if inbox.takeCatalogChange() { try journal.readCatalog(on: connection) }
        let notes = inbox.takeNotes()
        for (index, note) in notes.enumerated() {
            switch note {
            case .follow(let request): waiting.append(request)
            case .unfollow(let topics):
                try answerWaiting(connection, entered, leaving: notes[index...])
                unfollow(topics)
            case .unfollowPatterns(let patterns):
                try answerWaiting(connection, entered, leaving: notes[index...])
                unfollow(patterns)
            }
        }
        try answerWaiting(connection, entered, leaving: [])
    }

    /// `rest`: Notes that would be lost with the connection; they are kept for the next one.
    private func answerWaiting(
        _ connection: PostgresConnection, _ entered: String,
        leaving rest: ArraySlice<FollowInbox.Note>
    ) throws(PostgresError) {
        guard !waiting.isEmpty || !followed.unstarted.isEmpty else { return }
        do throws(PostgresError) {
            try answerWaiting(connection, entered)
        } catch {
            for note in rest {
                switch note {
                case .follow(let request): waiting.append(request)
                case .unfollow(let topics): unfollow(topics)
                case .unfollowPatterns(let patterns): unfollow(patterns)
                }
            }
            throw error
        }
    }

    private func answerWaiting(
        _ connection: PostgresConnection, _ entered: String
    ) throws(PostgresError) {
        let names = Set(waiting.flatMap(\.topics))
        // A name that is not known may be new: read before saying that it does not exist. One that
        // an append has learned is told first, or who begins at its head would be told of it later.
        if names.contains(where: { !context.catalog.isTold($0, in: entered) }) {
            try journal.readCatalog(on: connection)
        }
        var entries: [TopicName: CatalogEntry] = [:]
        for name in names { entries[name] = context.catalog.entry(of: name, in: entered) }
        followed.register(entries)
        for pattern in Set(waiting.flatMap(\.patterns)) where !followed.isFollowed(pattern) {
            followed.register(pattern, context.catalog.entries(matching: pattern, in: entered))
        }
        try ephemera.listenIfNeeded(on: connection)
        let ends = try PageReading.ends(of: followed.unstarted, in: entered, on: connection)
        let requests = waiting
        waiting = []
        followed.start(ends, answering: requests)
    }

    // MARK: Holes

    private func readHoles(
        _ connection: PostgresConnection, _ entered: String
    ) throws(PostgresError) {
        // Bounded, so that a long way to the head does not keep new followers waiting.
        for _ in 1...Self.pagesPerTurn {
            guard let (topicID, after) = followed.nextHole(), !inbox.isStopped else { return }
            let page = try PageReading.page(
                of: topicID, after: after, events: context.limits.pageEventsMax,
                bytes: JournalReader.holeBytesMax, in: entered, on: connection)
            if let page {
                followed.filled(topicID, after: after, page, in: entered)
            } else {
                followed.abandonHole(of: topicID)
                try journal.readCatalog(on: connection)
            }
        }
    }
}
