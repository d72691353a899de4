// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {AggregatorV3Interface} from "../AggregatorV3Interface.sol";
import {DemoSurfaceFeed} from "./DemoSurfaceFeed.sol";
import {OptionMath} from "./OptionMath.sol";

/// @title What the demo venue lists: underlyings, instruments, their marks, funding and settlement.
/// @notice Prices are USD with 8 decimals, sizes lots of 1e-8 contract, one contract is one unit of the underlying.
/// Perpetuals are marked at spot, futures at F = S (1 + carry T), options at undiscounted Black-76 of F.
abstract contract DemoMarkets is Ownable2Step {
    using SafeCast for uint256;
    using SafeCast for int256;

    enum Kind {
        Perpetual,
        Future,
        Call,
        Put
    }

    struct Underlying {
        string symbol;
        AggregatorV3Interface priceFeed;
        uint32 maximumPriceAgeSeconds;
        uint32 fundingCapPpmHourly;
        uint64 skewScaleLots;
        int128 netPerpetualLots;
        uint40 fundingTimestamp;
        /// Paid so far by one contract long, USD wad.
        int160 fundingIndexWad;
    }

    struct Instrument {
        uint8 kind;
        uint8 underlying;
        uint32 marketId;
        uint64 strikeE8;
        uint40 expiry;
        uint64 settlementPriceE8;
    }

    /// @dev An hourly feed and some slack; `setMaximumPriceAge` for others.
    uint32 private constant DEFAULT_MAXIMUM_PRICE_AGE_SECONDS = 3900;
    uint256 public constant MAXIMUM_SURFACE_AGE_SECONDS = 1 days;
    int256 private constant YEAR = 365 days;
    int256 private constant PPM = 1e6;

    DemoSurfaceFeed public immutable surfaceFeed;
    Underlying[] internal _underlyings;
    Instrument[] internal _instruments;

    event UnderlyingAdded(uint8 indexed underlying, string symbol, address priceFeed);
    event InstrumentListed(uint32 indexed instrumentId, Instrument instrument);
    event InstrumentSettled(uint32 indexed instrumentId, uint64 priceE8, uint80 roundId);

    error InvalidListing();
    error UnknownInstrument(uint32 instrumentId);
    error BadPrice(uint8 underlying, int256 answer);
    error StalePrice(uint8 underlying, uint256 updatedAt);
    error StaleSurface(uint8 underlying, uint40 expiry, uint256 updatedAt);
    error AwaitingSettlement(uint32 instrumentId);
    error CannotSettle(uint32 instrumentId);
    error NotTheLastRoundBeforeExpiry(uint80 roundId);

    constructor(address owner, DemoSurfaceFeed surfaceFeed_) Ownable(owner) {
        surfaceFeed = surfaceFeed_;
    }

    // ------------------------------------------------------------------ owner

    /// @param fundingCapPpmHourly Largest funding rate, reached when the net perpetual size is `skewScaleLots`.
    function addUnderlying(
        string calldata symbol,
        AggregatorV3Interface priceFeed,
        uint32 fundingCapPpmHourly,
        uint64 skewScaleLots
    ) external onlyOwner {
        if (skewScaleLots == 0 || priceFeed.decimals() != 8) revert InvalidListing();
        uint8 id = _underlyings.length.toUint8();
        Underlying storage underlying = _underlyings.push();
        underlying.symbol = symbol;
        underlying.priceFeed = priceFeed;
        underlying.maximumPriceAgeSeconds = DEFAULT_MAXIMUM_PRICE_AGE_SECONDS;
        underlying.fundingCapPpmHourly = fundingCapPpmHourly;
        underlying.skewScaleLots = skewScaleLots;
        underlying.fundingTimestamp = uint40(block.timestamp);
        emit UnderlyingAdded(id, symbol, address(priceFeed));
    }

    function setMaximumPriceAge(uint8 underlying, uint32 maximumAgeSeconds) external onlyOwner {
        _underlyings[underlying].maximumPriceAgeSeconds = maximumAgeSeconds;
    }

    /// @param marketId The market of the margin oracle whose ratios this instrument pays.
    /// @param strikeE8 0 for all but options.
    /// @param expiry 0 for perpetuals.
    function listInstrument(Kind kind, uint8 underlying, uint32 marketId, uint64 strikeE8, uint40 expiry)
        external
        onlyOwner
    {
        bool isOption = kind == Kind.Call || kind == Kind.Put;
        bool sound = underlying < _underlyings.length && isOption == (strikeE8 != 0)
            && (kind == Kind.Perpetual ? expiry == 0 : expiry > block.timestamp);
        if (!sound) revert InvalidListing();
        uint32 id = _instruments.length.toUint32();
        _instruments.push(Instrument(uint8(kind), underlying, marketId, strikeE8, expiry, 0));
        emit InstrumentListed(id, _instruments[id]);
    }

    // ------------------------------------------------------------------ settlement

    /// @notice Fixes an expired instrument's price: that of the last round stamped at or before expiry. Anyone may
    /// call; `roundId` must be proven the last by a later round that is stamped after expiry.
    function settle(uint32 instrumentId, uint80 roundId) external {
        Instrument storage instrument = _instrumentAt(instrumentId);
        if (instrument.expiry == 0 || block.timestamp < instrument.expiry || instrument.settlementPriceE8 != 0) {
            revert CannotSettle(instrumentId);
        }
        AggregatorV3Interface feed = _underlyings[instrument.underlying].priceFeed;
        (, int256 answer,, uint256 updatedAt,) = feed.getRoundData(roundId);
        (,,, uint256 nextUpdatedAt,) = feed.getRoundData(roundId + 1);
        if (updatedAt > instrument.expiry || nextUpdatedAt <= instrument.expiry) {
            revert NotTheLastRoundBeforeExpiry(roundId);
        }
        if (answer <= 0) revert BadPrice(instrument.underlying, answer);
        instrument.settlementPriceE8 = uint256(answer).toUint64();
        emit InstrumentSettled(instrumentId, instrument.settlementPriceE8, roundId);
    }

    // ------------------------------------------------------------------ reading

    function underlyingCount() external view returns (uint256) {
        return _underlyings.length;
    }

    function underlyingAt(uint256 underlying) external view returns (Underlying memory) {
        return _underlyings[underlying];
    }

    function instrumentCount() external view returns (uint256) {
        return _instruments.length;
    }

    function instrumentAt(uint32 instrumentId) external view returns (Instrument memory) {
        return _instrumentAt(instrumentId);
    }

    /// @notice Spot price; reverts when it is not positive or too old.
    function priceE8(uint8 underlying) public view returns (uint256) {
        Underlying storage from = _underlyings[underlying];
        (, int256 answer,, uint256 updatedAt,) = from.priceFeed.latestRoundData();
        if (answer <= 0) revert BadPrice(underlying, answer);
        if (updatedAt + from.maximumPriceAgeSeconds < block.timestamp) revert StalePrice(underlying, updatedAt);
        return uint256(answer);
    }

    /// @notice Value of one contract; of a settled instrument, what it paid.
    function markE8(uint32 instrumentId) public view returns (uint256) {
        Instrument memory instrument = _instrumentAt(instrumentId);
        if (instrument.settlementPriceE8 != 0) return _payoffE8(instrument);
        uint256 spotE8 = priceE8(instrument.underlying);
        if (instrument.kind == uint8(Kind.Perpetual)) return spotE8;
        if (block.timestamp >= instrument.expiry) revert AwaitingSettlement(instrumentId);
        DemoSurfaceFeed.Slice memory slice = surfaceFeed.sliceOf(instrument.underlying, instrument.expiry);
        if (slice.updatedAt + MAXIMUM_SURFACE_AGE_SECONDS < block.timestamp) {
            revert StaleSurface(instrument.underlying, instrument.expiry, slice.updatedAt);
        }
        uint256 secondsToExpiry = instrument.expiry - block.timestamp;
        uint256 forwardE8 = (spotE8.toInt256() * (PPM * YEAR + int256(slice.carryPpm) * secondsToExpiry.toInt256())
                / (PPM * YEAR))
        .toUint256();
        if (instrument.kind == uint8(Kind.Future)) return forwardE8;
        return OptionMath.black76(
            instrument.kind == uint8(Kind.Call),
            forwardE8,
            instrument.strikeE8,
            OptionMath.standardDeviation(slice.nodesPpm, forwardE8, instrument.strikeE8, secondsToExpiry)
        );
    }

    /// @notice Funding that longs pay to shorts now, ppm of notional an hour: the cap times the clamped net size.
    function fundingRatePpmHourly(uint8 underlying) public view returns (int32) {
        Underlying storage from = _underlyings[underlying];
        int256 scale = int256(uint256(from.skewScaleLots));
        int256 skew = from.netPerpetualLots;
        if (skew > scale) skew = scale;
        if (skew < -scale) skew = -scale;
        return (int256(uint256(from.fundingCapPpmHourly)) * skew / scale).toInt32();
    }

    /// @notice Funding paid so far by one contract long, USD wad, up to this block at the present rate and price.
    /// @dev Takes the last price whatever its age: what a price may be used for is checked where marks are taken.
    function fundingIndexWad(uint8 underlying) public view returns (int160) {
        Underlying storage from = _underlyings[underlying];
        uint256 elapsed = block.timestamp - from.fundingTimestamp;
        int256 rate = fundingRatePpmHourly(underlying);
        if (elapsed == 0 || rate == 0) return from.fundingIndexWad;
        (, int256 answer,,,) = from.priceFeed.latestRoundData();
        return (from.fundingIndexWad + rate * answer * 1e10 * elapsed.toInt256() / (PPM * 1 hours)).toInt160();
    }

    // ------------------------------------------------------------------ inside

    /// @dev Before the net size changes, so that past time is charged at the past rate.
    function _accrueFunding(uint8 underlying) internal {
        Underlying storage from = _underlyings[underlying];
        from.fundingIndexWad = fundingIndexWad(underlying);
        from.fundingTimestamp = uint40(block.timestamp);
    }

    function _instrumentAt(uint32 instrumentId) internal view returns (Instrument storage) {
        if (instrumentId >= _instruments.length) revert UnknownInstrument(instrumentId);
        return _instruments[instrumentId];
    }

    function _payoffE8(Instrument memory instrument) private pure returns (uint256) {
        uint256 price = instrument.settlementPriceE8;
        uint256 strike = instrument.strikeE8;
        if (instrument.kind == uint8(Kind.Future)) return price;
        if (instrument.kind == uint8(Kind.Call)) return price > strike ? price - strike : 0;
        return strike > price ? strike - price : 0;
    }
}
