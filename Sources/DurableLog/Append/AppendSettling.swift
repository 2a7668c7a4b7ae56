internal import DequeModule
internal import EventModel
internal import Logging
internal import PostgresBridge

/// What becomes of a batch that was refused, or whose connection was lost (rules 2 to 5 of the
/// log's contract, DESIGN 3).
extension AppendThread {
    /// A batch is tried this often when others get in its way.
    private static let attemptsMax = 3

    /// PostgreSQL refused the open batch and rolled it back.
    func refused(_ error: PostgresError, _ link: AppendConnection) throws(PostgresError) {
        guard let refused = open else { return }
        if error.needsNewConnection {
            // It was rolled back, so the next connection need not ask: it goes first there.
            open = nil
            if !refused.isAnswered {
                retries.prepend(
                    Retry(requests: refused.batch.requests, attempts: refused.attempts))
            }
            throw error
        }
        let refusal = AppendRefusal(error)
        if case .decided = refusal { return try settleOpen(link) }
        open = nil
        guard !refused.isAnswered else { return writer.goUp() }
        retryOrAnswer(refused, refusal, error)
    }

    private func retryOrAnswer(
        _ refused: OpenBatch, _ refusal: AppendRefusal, _ error: PostgresError
    ) {
        let requests = refused.batch.requests
        var retry = Retry(requests: requests, attempts: refused.attempts + 1)
        switch refusal {
        case .locked: suspects.formUnion(refused.batch.topicIDs)
        case .decided, .givenUp, .transient: break
        case .exhausted: retry.attempts = Self.attemptsMax
        case .guilty:
            if requests.count == 1 {
                context.logger.error("append was refused", metadata: ["error": "\(error)"])
                return requests[0].completion(.failure(AppendRefusal.answer(to: error)))
            }
            // Halves, until the guilty request stands alone.
            let middle = requests.count / 2
            retries.prepend(Retry(requests: Array(requests[middle...])))
            retries.prepend(Retry(requests: Array(requests[..<middle])))
            return
        }
        if retry.attempts < Self.attemptsMax { return retries.prepend(retry) }
        context.logger.error("append was refused", metadata: ["error": "\(error)"])
        for pending in requests {
            pending.completion(
                .failure(LogContext.unavailable("The database refuses now: \(error.message).")))
        }
    }

    /// Finds out what became of the open batch, before any higher seq is used.
    ///
    /// In its own incarnation the identical batch is sent again. In another one, topic ids may
    /// belong to strangers: it is given up, and what was not appended goes by its names into a new
    /// batch. A batch that was answered `outcome_unknown` is given up too: nobody expects its
    /// events any more, and the journal that `again` relies on is kept for an hour only.
    func settleOpen(_ link: AppendConnection) throws(PostgresError) {
        while let current = open {
            let isSame = current.batch.incarnation == link.incarnation && !current.isAnswered
            do throws(PostgresError) {
                if isSame { try sendAgain(link) } else { try giveUp(current, nil, link) }
            } catch {
                guard !error.needsNewConnection else { throw error }
                switch AppendRefusal(error) {
                case .givenUp:
                    open = nil
                    retryOrAnswer(current, .givenUp, error)
                case .guilty where isSame:
                    // The first attempt may still be on its way: only the tombstone makes "not
                    // appended" true.
                    try giveUp(current, error, link)
                case .locked, .decided, .transient, .exhausted, .guilty:
                    _ = writer.wakeup.wait(timeout: Self.tick)
                }
            }
        }
        writer.goUp()
    }

    private func sendAgain(_ link: AppendConnection) throws(PostgresError) {
        let result = try ask(link, timeout: nil) { link throws(PostgresError) in
            try sendOpen(link, isAgain: true, as: .question)
        }
        if let answer = try AppendStatement.answer(in: result) { settled(answer, link) }
    }

    private func giveUp(
        _ current: OpenBatch, _ error: PostgresError?, _ link: AppendConnection
    ) throws(PostgresError) {
        let result = try ask(link, timeout: nil) { link throws(PostgresError) in
            try link.sendPrepared(
                AppendStatement.giveUp, [[.int8(writerID), .int8(current.seq)]], as: .question)
        }
        if let answer = try AppendStatement.answer(in: result) { return settled(answer, link) }
        // Deadlines are looked at while waiting, so the requests may have been answered by now.
        let isAnswered = open?.isAnswered ?? true
        open = nil
        guard !isAnswered else { return }
        context.logger.notice(
            "a batch was not appended before the connection was lost",
            metadata: ["requests": "\(current.batch.requests.count)"])
        if let error {
            retryOrAnswer(current, AppendRefusal(error), error)
        } else {
            retries.prepend(Retry(requests: current.batch.requests, attempts: current.attempts))
        }
    }
}
