internal import EventModel

/// What happens to followed topics, under their lock: what goes through a gate is told.
extension FollowedTopics.State {
    /// Takes ephemeral events in, up to the first that leaves a hole while the topic's head is not
    /// known; gives how many were taken.
    mutating func arrived(
        _ notices: [EphemeralNotice], of topicID: Int32, upTo head: Offset?
    ) -> Int {
        var run: [Event] = []
        for (index, notice) in notices.enumerated() {
            guard let last = run.last?.offset ?? followed[topicID]?.gate.last else { break }
            guard notice.offset > last else { continue }
            if notice.offset == last + 1, let event = notice.event {
                run.append(event)
                continue
            }
            arrived(run, of: topicID)
            run = []
            guard let head else { return index }
            // It was made up.
            guard notice.offset <= head else { continue }
            skip(topicID, to: notice.event == nil ? notice.offset : notice.offset - 1)
            if let event = notice.event { run = [event] }
        }
        arrived(run, of: topicID)
        return notices.count
    }

    mutating func arrived(_ events: [Event], of topicID: Int32) {
        // At its place: neither taken out and put back, nor looked up again.
        guard let index = followed.index(forKey: topicID) else { return }
        let released = followed.values[index].gate.arrived(events)
        tell(released, followed.values[index])
        if followed.values[index].gate.hole != nil { checkHole(of: topicID) }
    }

    func isAboutToStart(_ topicID: Int32) -> Bool {
        guard let followed = followed[topicID] else { return false }
        return followed.gate.last == nil && followed.suspension == nil
    }

    mutating func suspendAll(for next: String) {
        settled = [:]
        let emptyGate = TopicGate(heldBytesMax: heldBytesMax)
        for (id, followed) in followed {
            self.followed[id]?.gate = emptyGate
            self.followed[id]?.epoch = Epoch(incarnation: next, topicID: id)
            if followed.suspension == nil, let last = followed.gate.last {
                self.followed[id]?.suspension = FollowedTopics.Suspension(
                    incarnation: incarnation, last: last)
            }
        }
    }

    mutating func skip(_ topicID: Int32, to offset: Offset) {
        guard var followed = followed[topicID], let last = followed.gate.last, offset > last else {
            return
        }
        let position = position(of: topicID)
        let released = followed.gate.skip(to: offset)
        followed.earliest = max(followed.earliest, offset + 1)
        self.followed[topicID] = followed
        sink?.purged(followed.topic, earliest: followed.earliest, at: position)
        tell(released, of: topicID)
    }

    func tell(_ events: [Event], of topicID: Int32) {
        guard let followed = followed[topicID] else { return }
        tell(events, followed)
    }

    private func tell(_ events: [Event], _ followed: FollowedTopics.Followed) {
        guard let first = events.first else { return }
        sink?.appended(events, to: followed.position(latest: first.offset - 1))
    }

    mutating func checkHole(of topicID: Int32) {
        guard followed[topicID]?.gate.hole != nil, isNeedy.insert(topicID).inserted else { return }
        needy.append(topicID)
    }

    mutating func drop(_ topic: TopicName) {
        guard let id = ids.removeValue(forKey: topic),
            let dropped = followed.removeValue(forKey: id)
        else { return }
        unstarted.remove(id)
        if dropped.isEphemeral { ephemeralCount -= 1 }
    }

    mutating func dropUnlessMatched(_ topic: TopicName) {
        guard patterns.matches(topic) else { return drop(topic) }
        if let id = ids[topic] { followed[id]?.isNamed = false }
    }

    mutating func register(_ name: TopicName, _ entry: CatalogEntry, isNamed: Bool) {
        let id = entry.id
        if followed[id] == nil {
            followed[id] = FollowedTopics.Followed(
                topic: name, epoch: Epoch(incarnation: incarnation, topicID: id),
                isEphemeral: entry.isEphemeral,
                gate: TopicGate(heldBytesMax: heldBytesMax))
            ids[name] = id
            unstarted.insert(id)
            if entry.isEphemeral { ephemeralCount += 1 }
        }
        if isNamed { followed[id]?.isNamed = true }
    }

    /// What is below `earliest` is not kept any more; if it was not told yet, the topic goes on
    /// there.
    mutating func passOver(_ topicID: Int32, below earliest: Offset) {
        guard let known = followed[topicID] else { return }
        if let last = known.gate.last, earliest - 1 > last {
            return skip(topicID, to: earliest - 1)
        }
        let position = position(of: topicID)
        followed[topicID]?.earliest = max(known.earliest, earliest)
        if let suspension = known.suspension {
            followed[topicID]?.suspension?.last = max(suspension.last, earliest - 1)
        }
        sink?.purged(known.topic, earliest: earliest, at: position)
    }

    /// Where the topic stands, without what is only about to be told.
    func position(of topic: TopicName, before ready: [Int32: [Event]]) -> TopicPosition? {
        guard let id = ids[topic], let followed = followed[id], let last = followed.gate.last else {
            return nil
        }
        let latest = ready[id]?.first.map { $0.offset - 1 } ?? last
        return followed.position(latest: latest)
    }

    /// Up to where the topic was told; `nil` if it was not.
    func position(of topicID: Int32) -> TopicPosition? {
        guard let followed = followed[topicID] else { return nil }
        if let suspension = followed.suspension {
            return followed.position(topicID, in: suspension)
        }
        return followed.gate.last.map { followed.position(latest: $0) }
    }
}

extension FollowedTopics.Followed {
    func position(latest: Offset) -> TopicPosition { position(epoch, latest: latest) }

    /// Up to where it was told when its incarnation ended.
    func position(_ id: Int32, in suspension: FollowedTopics.Suspension) -> TopicPosition {
        position(
            Epoch(incarnation: suspension.incarnation, topicID: id), latest: suspension.last)
    }

    private func position(_ epoch: Epoch, latest: Offset) -> TopicPosition {
        TopicPosition(
            topic: topic, epoch: epoch,
            earliest: isEphemeral ? latest + 1 : min(earliest, latest + 1), latest: latest,
            isEphemeral: isEphemeral)
    }
}
