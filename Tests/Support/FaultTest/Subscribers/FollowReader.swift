internal import EventModel
internal import Glibc
internal import PostgresBridge
internal import RepeatableChance
internal import SessionProtocol

/// Follows one topic over HTTP with curl, as NDJSON, and goes on behind what it saw.
struct FollowReader {
    let name: String
    let topic: TopicName
    /// Where it begins.
    let start: String
    let doors: [Door]
    /// After each line, until everybody hurries.
    let pauseMicroseconds: UInt32?
    /// For the pipe; it is there.
    let directory: String
    let readers: Readers
    var chance: SeededGenerator
    private var cursor: Cursor?

    init(
        name: String, topic: TopicName, start: String, doors: [Door],
        pauseMicroseconds: UInt32? = nil,
        directory: String, readers: Readers, chance: SeededGenerator
    ) {
        self.name = name
        self.topic = topic
        self.start = start
        self.doors = doors
        self.pauseMicroseconds = pauseMicroseconds
        self.directory = directory
        self.readers = readers
        self.chance = chance
    }

    /// Blocks until everybody stops.
    mutating func run() {
        let pipe = "\(directory)/\(name).pipe"
        mkfifo(pipe, 0o600)
        while !readers.isStopped {
            follow(over: pipe)
            usleep(UInt32(chance.pick(50_000...400_000)))
        }
    }

    private mutating func follow(over pipe: String) {
        let door = chance.pick(doors)
        let start = cursor.map { "after:\($0)" } ?? start
        // Opened for reading first, or curl would wait for a reader.
        let descriptor = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return readers.diary.violated("\(name): no pipe") }
        defer { close(descriptor) }
        guard
            let curl = try? ServerProcess(
                command: [
                    "/usr/bin/curl", "-sN", "--http1.1", "--cacert", door.caFile,
                    "--connect-timeout", "5", "--speed-limit", "1", "--speed-time", "8",
                    "-H", "Authorization: Bearer \(door.token)",
                    "https://127.0.0.1:\(door.port)/v1/topics/\(topic)/events?follow&from=\(start)",
                ], environment: ["PATH=/usr/bin:/bin"], directory: directory, output: pipe)
        else { return readers.diary.violated("\(name): curl cannot be started") }
        defer {
            curl.signal(SIGKILL)
            _ = curl.wait(timeout: .seconds(5))
        }
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while !readers.isStopped {
            var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 200) > 0 else { continue }
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count > 0 else { return }
            buffer += chunk[..<count]
            while let end = buffer.firstIndex(of: 0x0A) {
                let line = Array(buffer[..<end])
                buffer.removeFirst(end + 1)
                guard took(line) else { return }
            }
        }
    }

    /// - Returns: Whether the stream goes on.
    private mutating func took(_ line: [UInt8]) -> Bool {
        // A broker that refuses answers with a problem, which is no message.
        guard let message = try? BrokerMessage.decode(line) else { return true }
        readers.received(message, by: name)
        switch message {
        case .event(let event): cursor = event.cursor
        case .gap(let gap): cursor = gap.cursor
        case .reset(let reset): cursor = reset.cursor
        case .closing: return false
        default: break
        }
        if let pauseMicroseconds, !readers.isHurried { usleep(pauseMicroseconds) }
        return true
    }
}
