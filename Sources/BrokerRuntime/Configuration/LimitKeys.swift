internal import EventModel
internal import NIOCore
internal import Transport

// Keys of limits, each owned by `Limits` or, for sockets and HTTP, by `TransportLimits`.
extension ConfigurationKey {
    static let limits = requests + sessions + credentials + log + shutdown

    private static let requests: [ConfigurationKey] = [
        .size(
            "limits.event_bytes", \.eventBytesMax, 1...(64 << 20),
            "One event's data; kept in the database, for all brokers and SQL publishers."),
        .size(
            "limits.body_bytes", \.limits.bodyBytesMax, (1 << 10)...(1 << 30),
            "One HTTP request body."),
        .size(
            "limits.bodies_bytes", \.transport.bodiesBytesMax, (1 << 20)...(1 << 36),
            "All HTTP request bodies at a time; over it publishers get 429."),
        .integer(
            "limits.body_lines", \.limits.bodyLinesMax, 1...1_000_000,
            "Lines of one NDJSON body."),
        .integer(
            "limits.connections_per_address", \.transport.connectionsPerAddressMax, 1...1_000_000,
            "Connections of one address, or of an IPv6 network of 64 bits; more are refused."),
        .size(
            "limits.header_bytes", \.transport.headerBytesMax, (1 << 10)...(1 << 20),
            "One HTTP request's line and headers."),
        .integer(
            "limits.header_fields", \.transport.headerCountMax, 16...10_000,
            "Header fields of one HTTP request."),
        .size(
            "limits.target_bytes", \.transport.uriBytesMax, (1 << 8)...(1 << 20),
            "One HTTP request's path and query."),
        .integer(
            "limits.pipelined_requests", \.transport.pipelinedRequestsMax, 1...10_000,
            "HTTP requests of one connection that wait for their answers; more are not begun."),
        .size(
            "limits.answer_page_bytes", \.limits.answerPageBytesMax, (16 << 10)...(64 << 20),
            "One page of a topic's events over HTTP."),
        .integer(
            "limits.page_topics", \.limits.pageTopicsMax, 1...10_000,
            "Topics of one page of a list."),
        .duration(
            "limits.handshake_timeout", \.transport.handshakeTimeout, .seconds(1)...(.seconds(600)),
            "From a connection's begin to the end of its TLS handshake."),
        .duration(
            "limits.head_timeout", \.transport.headTimeout, .seconds(1)...(.seconds(600)),
            "From a request's first byte to the end of its headers."),
        .duration(
            "limits.body_idle_timeout", \.transport.bodyIdleTimeout, .seconds(1)...(.seconds(600)),
            "Between two pieces of a request body."),
        .duration(
            "limits.body_timeout", \.transport.bodyTimeout, .seconds(1)...(.seconds(86_400)),
            "For a whole request body."),
        .duration(
            "limits.keep_alive_timeout", \.transport.keepAliveTimeout,
            .seconds(1)...(.seconds(86_400)),
            "Between an answer and the next request of its connection."),
        .duration(
            "limits.answer_stall_timeout", \.transport.answerStallTimeout,
            .seconds(1)...(.seconds(86_400)),
            "How long an HTTP client may take nothing of its answers."),
    ]

    private static let sessions: [ConfigurationKey] = [
        .size(
            "limits.message_bytes", \.limits.messageBytesMax, (1 << 10)...(128 << 20),
            "One message from a client."),
        .size(
            "limits.message_bytes_before_auth", \.limits.messageBytesBeforeAuthMax,
            (1 << 10)...(128 << 20),
            "One message from a client that has not authenticated yet."),
        .integer(
            "limits.subscriptions", \.limits.subscriptionsMax, 1...1_000_000,
            "Subscriptions of one session."),
        .integer(
            "limits.wildcards", \.limits.wildcardsMax, 0...100_000,
            "Patterns with wildcards of one session."),
        .integer(
            "limits.topics_per_subscribe", \.limits.topicsPerSubscribeMax, 1...1_000_000,
            "Topics and cursors of one subscribe message."),
        .size(
            "limits.filter_bytes", \.limits.filterBytesMax, 64...(64 << 10),
            "One filter, of a subscription or a page."),
        .integer(
            "limits.cursors_ahead", \.limits.cursorsAheadMax, 0...10_000_000,
            "Cursors that one session sends ahead of its subscribes."),
        .size(
            "limits.cursors_ahead_bytes", \.limits.cursorsAheadBytesMax, 0...(1 << 30),
            "Texts of cursors that one session sends ahead of its subscribes."),
        .integer(
            "limits.publishes_in_flight", \.limits.publishesInFlightMax, 1...1_000_000,
            "Publishes of one session that wait for their outcome; more are answered rate_limited."
        ),
        .integer(
            "limits.faults_per_minute", \.limits.faultsPerMinuteMax, 1...1_000_000,
            "Errors that a client may cause in a minute before its session ends."),
        .size(
            "limits.backlog_bytes", \.limits.backlogBytesMax, (16 << 10)...(1 << 30),
            "Events that wait for one session's socket."),
        .size(
            "limits.backlogs_bytes", \.limits.backlogsBytesMax, (16 << 20)...(1 << 36),
            "The same of all sessions and streams together; over it the largest give way first."),
        .duration(
            "limits.auth_timeout", \.limits.authTimeout, .seconds(1)...(.seconds(600)),
            "How long a session may take to authenticate."),
        .duration(
            "limits.heartbeat_interval", \.limits.heartbeatInterval,
            .seconds(1)...(.seconds(600)),
            "A heartbeat is sent when nothing else went out for this long."),
        .duration(
            "limits.stuck_timeout", \.limits.stuckTimeout, .seconds(1)...(.seconds(86_400)),
            "How long a client may take nothing of what waits for it."),
        .duration(
            "limits.session_close_timeout", \.limits.sessionCloseTimeout,
            .seconds(1)...(.seconds(600)),
            "How long what waits for a session is still sent when it ends."),
    ]

    private static let credentials: [ConfigurationKey] = [
        .duration(
            "limits.revocation_interval", \.limits.revocationInterval,
            .seconds(1)...(.seconds(30)),
            "How often the tokens of open sessions and streams are looked up again."),
        .duration(
            "limits.token_age", \.limits.tokenAge, .seconds(1)...(.seconds(30)),
            "How long a token that was looked up is believed."),
        .duration(
            "limits.unknown_token_age", \.limits.unknownTokenAge, .seconds(1)...(.seconds(30)),
            "How long it is believed that there is no such token."),
        .integer(
            "limits.tokens_known", \.limits.tokensKnownMax, 100...10_000_000,
            "Tokens that are remembered, and as many unknown ones."),
        .integer(
            "limits.token_lookups", \.limits.tokenLookupsMax, 1...1_000_000,
            "Look-ups of tokens at a time; more are refused."),
    ]

    private static let log: [ConfigurationKey] = [
        .integer(
            "limits.readers", \.limits.readerCount, 1...64,
            "Threads that read from the log, each with a connection to the database."),
        .integer(
            "limits.reads_waiting", \.limits.readsWaitingMax, 100...10_000_000,
            "Reads that wait for one of them; more are refused."),
        .integer(
            "limits.page_events", \.limits.pageEventsMax, 1...10_000,
            "Events of one page read from the log."),
        .size(
            "limits.page_bytes", \.limits.pageBytesMax, (16 << 10)...(64 << 20),
            "One page read from the log for a replay."),
        .size(
            "limits.recent_events_bytes", \.limits.recentEventsBytesMax, 0...(1 << 36),
            "Newest events kept in memory, over all topics."),
        .size(
            "limits.topic_held_bytes", \.limits.topicHeldBytesMax, 0...(1 << 30),
            "Events of one topic that are held while those before them are read."),
        .integer(
            "limits.append_queue_events", \.limits.appendQueueEventsMax, 100...10_000_000,
            "Events that wait for the log; over it publishers get 429."),
        .size(
            "limits.append_queue_bytes", \.limits.appendQueueBytesMax, (1 << 20)...(1 << 36),
            "Bytes that wait for the log; over it publishers get 429."),
        .duration(
            "limits.outcome_timeout", \.limits.outcomeTimeout, .seconds(1)...(.seconds(600)),
            "A publish that is still unknown then is answered outcome_unknown."),
        .duration(
            "limits.lock_timeout", \.limits.lockTimeout, .milliseconds(250)...(.seconds(60)),
            "How long an append waits for a topic that somebody else has locked."),
        .duration(
            "limits.reconnect_timeout", \.limits.reconnectTimeout,
            .milliseconds(100)...(.seconds(60)),
            "How long a request waits for a lost database to come back."),
        .duration(
            "limits.retention_interval", \.limits.retentionInterval,
            .seconds(1)...(.seconds(3600)),
            "How often old events are looked for."),
        .duration(
            "limits.retention_turn", \.limits.retentionTurn, .milliseconds(1)...(.seconds(10)),
            "How long old events are deleted before other housekeeping has its turn."),
    ]

    private static let shutdown: [ConfigurationKey] = [
        .duration(
            "limits.drain_time", \.limits.drainTime, .seconds(1)...(.seconds(600)),
            "How long clients get to leave when the broker shuts down.")
    ]
}
