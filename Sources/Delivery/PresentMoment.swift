package import EventModel
internal import Glibc
package import SessionProtocol

extension Moment {
    /// The time on both clocks.
    package static var now: Moment { Moment(instant: .now, time: .now) }
}

extension Timestamp {
    /// The system's clock (clock_gettime(2), CLOCK_REALTIME).
    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
