internal import Glibc

/// Counts allocations on the hot path, and fails where there are more than there were; to be built
/// for release, as a debug build allocates more.
@main struct AllocationCheck {
    static func main() throws {
        let delivery = try DeliveryAllocations()
        let rows: [(name: String, count: Double, most: Double)] = [
            ("a delivery", delivery.perDelivery(), 0.001),
            ("an event, encoded and fanned out", delivery.perEvent(), 4.5),
            ("a publish in a session", try PublishAllocations().perPublish(), 9.5),
        ]
        var isSound = true
        for row in rows {
            let count = (row.count * 100).rounded() / 100
            let isKept = row.count <= row.most
            print(
                "\(isKept ? "ok  " : "FAIL") \(row.name): \(count) allocations, at most \(row.most)"
            )
            isSound = isSound && isKept
        }
        exit(isSound ? 0 : 1)
    }
}
