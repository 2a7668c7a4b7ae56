import Glibc
import SluiceClient

/// What it costs the Swift client to receive events: CPU time of this process, an event.
///
///     client-figures [--deflate] [--batch] URL TOKEN CA-FILE COUNT PATTERN…
@main struct ClientFigures {
    static func main() async throws {
        let all = CommandLine.arguments.dropFirst()
        let words = all.filter { !$0.hasPrefix("--") }
        guard words.count >= 5, let count = Int(words[3]) else {
            print("client-figures [--deflate] [--batch] URL TOKEN CA-FILE COUNT PATTERN…")
            exit(2)
        }
        let configuration = ClientConfiguration(
            address: try BrokerAddress(words[0]), token: words[1], caFile: words[2],
            isCompressed: all.contains("--deflate"))
        let client = try BrokerClient(configuration)
        let subscription = try client.subscribe(
            to: Array(words[4...]), from: "earliest",
            options: SubscribeOptions(isBatched: all.contains("--batch")))
        var iterator = subscription.makeAsyncIterator()
        var remaining = count
        var bytes = 0
        let start = cpuTime()
        while remaining > 0, let item = try await iterator.next() {
            guard case .event(let event) = item else { continue }
            remaining -= 1
            bytes += event.data.count
        }
        let each = (cpuTime() - start) / Double(count)
        print("\(count) events of \(bytes / count) bytes: \((each * 1e9).rounded() / 1e3) us each")
    }

    /// Seconds of CPU that this process took.
    private static func cpuTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
