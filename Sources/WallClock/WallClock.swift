package import EventModel
internal import Glibc

extension Timestamp {
    /// The system's time (clock_gettime(2), CLOCK_REALTIME).
    ///
    /// Read where a program or a connection begins something; whoever decides has the time as an
    /// argument.
    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
