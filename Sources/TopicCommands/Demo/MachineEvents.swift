internal import EventModel
internal import SluiceClient

/// The events of one second: what this machine did since the last look.
struct MachineEvents {
    /// The host as a topic's segment.
    let host: String

    func events(
        _ now: MachineCounters, since last: MachineCounters, elapsed: Duration
    ) -> [OutgoingEvent] {
        let seconds = max(0.001, Double(elapsed.milliseconds) / 1000)
        return [
            event("cpu", cpu(now, since: last)), event("memory", memory(now)),
            event("network", network(now, since: last, seconds: seconds)),
        ]
    }

    private func event(_ name: String, _ data: [UInt8]) -> OutgoingEvent {
        OutgoingEvent(topic: "demo.\(host).\(name)", data: data)
    }

    private func cpu(_ now: MachineCounters, since last: MachineCounters) -> [UInt8] {
        let all = now.allTicks - last.allTicks
        let busy = all > 0 ? Double(now.busyTicks - last.busyTicks) * 100 / Double(all) : 0
        var json = JSONWriter()
        json.raw(#"{"busy_percent":"#)
        json.raw(Array("\((busy * 10).rounded() / 10)".utf8))
        json.raw(#","processors":"#)
        json.integer(now.processors)
        json.raw(#","load":["#)
        json.raw(Array(now.load.joined(separator: ",").utf8))
        json.raw("]}")
        return json.bytes
    }

    private func memory(_ now: MachineCounters) -> [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"used_bytes":"#)
        json.integer(now.memoryTotal - now.memoryAvailable)
        json.raw(#","total_bytes":"#)
        json.integer(now.memoryTotal)
        json.raw(#","swap_used_bytes":"#)
        json.integer(now.swapTotal - now.swapFree)
        json.raw("}")
        return json.bytes
    }

    private func network(
        _ now: MachineCounters, since last: MachineCounters, seconds: Double
    ) -> [UInt8] {
        let rate = { (now: Int64, last: Int64) in Int64(Double(max(0, now - last)) / seconds) }
        var json = JSONWriter()
        json.raw(#"{"received_bytes_per_second":"#)
        json.integer(rate(now.received.bytes, last.received.bytes))
        json.raw(#","sent_bytes_per_second":"#)
        json.integer(rate(now.sent.bytes, last.sent.bytes))
        json.raw(#","received_packets":"#)
        json.integer(now.received.packets)
        json.raw(#","sent_packets":"#)
        json.integer(now.sent.packets)
        json.raw("}")
        return json.bytes
    }
}
