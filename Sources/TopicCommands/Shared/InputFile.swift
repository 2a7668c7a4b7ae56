internal import Glibc

/// A file or standard input, read in pieces.
final class InputFile {
    private let descriptor: Int32
    private let isOwned: Bool
    let name: String

    /// Standard input.
    init() {
        descriptor = STDIN_FILENO
        isOwned = false
        name = "standard input"
    }

    /// - Parameter path: `-` stands for standard input.
    /// - Throws: Which file can't be opened, and why.
    init(path: String) throws(CommandFailure) {
        name = path == "-" ? "standard input" : path
        isOwned = path != "-"
        descriptor = isOwned ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO
        guard descriptor >= 0 else { throw Self.failure(name) }
    }

    deinit {
        if isOwned { close(descriptor) }
    }

    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Whether reading would not wait: there is something, or the end.
    var isReady: Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 0) > 0
    }

    /// What can be read now, at most 256 KiB; empty at the end.
    ///
    /// Waits until there is something.
    func read() throws(CommandFailure) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count >= 0 { return Array(buffer.prefix(count)) }
            guard errno == EINTR else { throw Self.failure(name) }
        }
    }

    /// Everything up to the end.
    func readAll(bytesMax: Int) throws(CommandFailure) -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let piece = try read()
            if piece.isEmpty { return all }
            all += piece
            guard all.count <= bytesMax else {
                throw CommandFailure(
                    .failed, "\(name) has more than \(bytesMax) bytes.",
                    remedy: "For several events, write one a line and use --ndjson.")
            }
        }
    }

    private static func failure(_ name: String) -> CommandFailure {
        CommandFailure(
            .failed, "\(name) can't be read: \(String(cString: strerror(errno))).",
            remedy: "Check the path and its permissions.")
    }
}

/// Cuts a stream of bytes into lines.
struct LineSplitter {
    private var rest: [UInt8] = []
    /// Lines that were given out.
    private(set) var count = 0

    /// Takes bytes, and gives the lines that are complete now, without their ends.
    mutating func take(_ bytes: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            lines.append(Self.withoutReturn(rest + bytes[start..<end]))
            rest = []
            start = end + 1
        }
        rest += bytes[start...]
        count += lines.count
        return lines
    }

    /// The last line, if it had no end.
    mutating func finish() -> [UInt8]? {
        guard !rest.isEmpty else { return nil }
        defer { rest = [] }
        count += 1
        return Self.withoutReturn(rest)
    }

    private static func withoutReturn(_ line: [UInt8]) -> [UInt8] {
        line.last == 0x0D ? line.dropLast() : line
    }
}
