/// Why a configuration cannot be used: what is wrong, where it was said, and what to do.
package struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    package var message: String
    package var remedy: String

    package init(_ message: String, remedy: String) {
        self.message = message
        self.remedy = remedy
    }

    package var description: String { "\(message) \(remedy)" }
}

/// Finds the known name that a misspelt one probably means.
///
/// - Parameters:
///   - name: What was written.
///   - known: What there is.
///   - distanceMax: Characters that may differ; `nil`: a third, and at least two.
/// - Returns: The nearest one; `nil` if each differs more.
package func nearestName(
    to name: String, among known: [String], distanceMax: Int? = nil
) -> String? {
    let scored = known.map { (name: $0, distance: editDistance(name, $0)) }
    guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= distanceMax ?? max(2, name.count / 3) ? best.name : nil
}

/// Levenshtein's distance: single-character insertions, deletions and replacements.
private func editDistance(_ left: String, _ right: String) -> Int {
    let right = Array(right)
    var row = Array(0...right.count)
    for (index, character) in left.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in right.indices {
            let replaced = diagonal + (right[column] == character ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(replaced, min(diagonal, row[column]) + 1)
        }
    }
    return row[right.count]
}
