package import SessionProtocol
internal import WallClock

extension Moment {
    /// The time on both clocks.
    package static var now: Moment { Moment(instant: .now, time: .now) }
}
