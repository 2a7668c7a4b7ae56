import Testing

@Suite("Numbers in a filter") struct DecimalTests {
    @Test(arguments: [
        ("100", "100.0"), ("100", "1e2"), ("100", "1E+2"), ("0.1", "1e-1"), ("0", "-0.000e9"),
        ("1e400", "10e399"), ("12345678901234567890", "12345678901234567890.00"),
        ("0.001", "1e-3"), ("-2.50", "-25e-1"),
        ("1e999999999999999999999", "1e999999999999999999999"),
    ])
    func `are equal as decimals`(left: String, right: String) throws {
        for (left, right) in [(left, right), (right, left)] {
            #expect(try matches("$ == \(left)", right))
            #expect(try matches("$ >= \(left) && $ <= \(left)", right))
            #expect(try !matches("$ != \(left) || $ < \(left) || $ > \(left)", right))
        }
    }

    @Test(arguments: [
        ("12345678901234567890", "12345678901234567891"), ("0.1", "0.10000000000000000000001"),
        ("1e400", "1.0001e400"), ("-1e400", "-9e399"), ("-1", "0"), ("0", "1e-400"),
        ("-1e-400", "0"),
        ("99.99", "100"), ("9", "10"), ("-10", "-9"), ("0.09", "0.1"), ("1e-1000", "1e1000"),
        ("9007199254740992", "9007199254740993"), ("-0.2", "0.1"), ("1", "12"), ("-12", "-1"),
    ])
    func `are less without a digit being lost`(less: String, greater: String) throws {
        #expect(try matches("$ > \(less)", greater))
        #expect(try matches("$ < \(greater)", less))
        #expect(try !matches("$ == \(less)", greater))
        #expect(try !matches("$ <= \(less)", greater))
        #expect(try !matches("$ >= \(greater)", less))
    }
}
