internal import EventModel
internal import Logging
internal import PostgresBridge

/// What becomes of a batch that was refused, or whose connection was lost (rules 2 to 5 of the
/// log's contract, doc:AppendAndFollow).
extension AppendThread {
    /// PostgreSQL, or a pooler before it, refused the open batch.
    func refused(_ error: PostgresError, _ link: AppendConnection) throws(PostgresError) {
        // The batch stays open, and is settled over the next connection.
        if error.leavesOutcomeUnknown { throw error }
        let refusal = AppendRefusal(error)
        switch refusal {
        case .disconnected: break
        case .decided where inbox.way == .log: return try settleOpen(link)
        case .locked, .transient, .decided:
            context.logger.debug("append was refused", metadata: ["error": "\(error)"])
        case .exhausted, .guilty:
            context.logger.error("append was refused", metadata: ["error": "\(error)"])
        }
        inbox.replying { $0.refused(error, now: .now, into: &$1) }
        // It was rolled back, so the next connection need not ask.
        if refusal == .disconnected { throw error }
    }

    /// Finds out what became of the open batch, before any higher seq is used.
    ///
    /// It is given up: either it had been committed, or it never will be, and then its requests go
    /// into a new batch. Sending the batch again would not do: it would wait for the locks of its
    /// topics, which the lost connection may still hold, and in another incarnation topic ids may
    /// belong to strangers.
    func settleOpen(_ link: AppendConnection) throws(PostgresError) {
        while let open = inbox.flow({ $0.open }) {
            do throws(PostgresError) {
                var parameters = PostgresParameters()
                parameters.add(.int8(writerID))
                parameters.add(.int8(open.seq))
                try link.send(AppendStatement.giveUp, parameters)
                let result = try awaitAnswer(link)
                if let answer = try AppendStatement.answer(in: result) {
                    settled(answer)
                } else {
                    context.logger.notice(
                        "a batch was not appended before the connection was lost",
                        metadata: ["requests": "\(open.batch.requests.count)"])
                    inbox.flow { $0.gaveUp() }
                }
            } catch {
                guard !error.needsNewConnection, !error.leavesOutcomeUnknown else { throw error }
                // Somebody is about to commit it, or the server lacks something: asked again.
                context.logger.debug("batch is not settled", metadata: ["error": "\(error)"])
                _ = inbox.wakeup.wait(timeout: Self.tick)
                checkDeadlines()
            }
            try requireWork()
        }
    }

    private func awaitAnswer(_ link: AppendConnection) throws(PostgresError) -> PostgresResult {
        finish()
        while true {
            if let result = try link.next() { return try result.get() }
            _ = try link.connection.wait(inbox.wakeup, timeout: Self.tick)
            checkDeadlines()
            try requireCurrent(link)
            try requireWork()
        }
    }

    private func requireWork() throws(PostgresError) {
        guard isDone else { return }
        throw PostgresError(kind: .connectionLost, message: "this node is shutting down")
    }
}
