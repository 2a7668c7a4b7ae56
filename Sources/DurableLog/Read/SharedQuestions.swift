internal import Synchronization

/// The key of a question that is asked once for everybody who waits.
enum Everybody: Hashable, Sendable {
    case together
}

/// Equal questions share one answer, as long as the question has not been sent
/// (doc:AppendAndFollow, "FollowedTopics cache").
///
/// Who asks after that may know of something newer than what the answer is made of, so he asks
/// anew.
package final class SharedQuestions<Key: Hashable & Sendable, Asker: Sendable>: Sendable {
    /// A question with everybody who waits for its answer.
    package final class Shared: Sendable {
        fileprivate let key: Key
        fileprivate let askers: Mutex<[Asker]>

        fileprivate init(_ key: Key, _ asker: Asker) {
            self.key = key
            askers = Mutex([asker])
        }
    }

    /// Those that have not been sent.
    private let open = Mutex<[Key: Shared]>([:])

    package init() {}

    /// Joins the question; returns a new one if there is none, which the caller has to send.
    package func join(_ key: Key, _ asker: Asker) -> Shared? {
        open.withLock { open in
            if let shared = open[key] {
                shared.askers.withLock { $0.append(asker) }
                return nil
            }
            let shared = Shared(key, asker)
            open[key] = shared
            return shared
        }
    }

    /// The question is about to be sent, for the first time or again: nobody joins any more.
    ///
    /// Returns everybody who waits.
    package func close(_ shared: Shared) -> [Asker] {
        open.withLock { open in
            if open[shared.key] === shared { open[shared.key] = nil }
            return shared.askers.withLock { $0 }
        }
    }
}
