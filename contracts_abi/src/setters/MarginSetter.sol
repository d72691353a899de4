// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarginOracle} from "../IMarginOracle.sol";
import {DelayedOwner} from "./DelayedOwner.sol";

/// @title Carries the oracle's margins into a protocol that keeps margins of its own.
/// @notice Anyone may carry: the figure is the oracle's, fresh, within the protocol's bounds, or nothing happens. The
/// owner says which market of the oracle feeds which target of the protocol, after a delay, and never a figure.
///
/// A protocol knows one ratio a target, the oracle a ratio that rises with size: a binding names the size up to which
/// the ratio set is enough, ratio + slope times that size. A position beyond it is asked too little.
///
/// No heartbeat is held here: `IMarginOracle.margin` refuses what is stale and while the L2 sequencer is not up. What
/// was set stays in the protocol while the oracle is silent.
abstract contract MarginSetter is DelayedOwner {
    /// @notice What feeds a target.
    /// @param appliedTimestamp Reference time of what was last set; outlives the binding.
    /// @param sizeWad Largest notional, in USD wad, that the ratio set is enough for; 0 where nothing is bound.
    struct Binding {
        uint32 marketId;
        uint40 appliedTimestamp;
        uint128 sizeWad;
    }

    /// @notice What the oracle charges at the bound size, exact: 1e30 is the whole notional.
    struct Charge {
        uint256 initialLongE30;
        uint256 initialShortE30;
        uint256 maintenanceLongE30;
        uint256 maintenanceShortE30;
    }

    /// @notice What the protocol holds, in its own unit; both are equal where it holds one figure.
    struct Setting {
        uint256 initial;
        uint256 maintenance;
    }

    enum Figure {
        Initial,
        Maintenance
    }

    /// @dev A part per million of 1e30. Typed: a literal would multiply in too few bits.
    uint256 private constant PPM_E30 = 1e24;

    IMarginOracle public immutable oracle;
    mapping(bytes32 target => Binding) public bindings;

    event Bound(bytes32 indexed target, uint32 indexed marketId, uint128 sizeWad);
    event Unbound(bytes32 indexed target);
    event MarginApplied(bytes32 indexed target, uint32 indexed marketId, uint40 referenceTimestamp, Setting setting);

    /// @notice Nothing feeds this target; the owner binds it.
    error NotBound(bytes32 target);
    /// @notice The protocol knows no such target, or holds nothing for it yet.
    error UnknownTarget(bytes32 target);
    /// @notice A ratio is enough up to a size, and none was named.
    error SizeMissing(bytes32 target);
    /// @notice A newer report was set already; wait for the next report of the market now bound.
    error OlderThanApplied(uint40 appliedTimestamp, uint40 offeredTimestamp);
    /// @notice The protocol holds this already; there is nothing to send.
    error NothingToChange(bytes32 target);
    /// @notice The protocol would refuse or misread it, in the protocol's unit. Nothing was set.
    error OutOfBounds(Figure figure, uint256 value, uint256 minimum, uint256 maximum);
    /// @notice The protocol took the call and holds something else: this adapter is not made for it.
    error NotTaken(bytes32 target, Setting wanted, Setting taken);

    constructor(IMarginOracle oracle_, address owner, uint32 ownerDelaySeconds_)
        DelayedOwner(owner, ownerDelaySeconds_)
    {
        oracle = oracle_;
    }

    /// @notice Sets what the oracle charges now. Anyone may. Refused, with nothing changed, where the figure is stale,
    /// out of the protocol's bounds, older than what was set, or in place already.
    function applyMargin(bytes32 target) external {
        (Setting memory next, uint40 referenceTimestamp) = _next(target);
        Binding storage binding = bindings[target];
        binding.appliedTimestamp = referenceTimestamp;
        _set(target, next);
        Setting memory taken = inPlace(target);
        if (!_equal(taken, next)) revert NotTaken(target, next, taken);
        emit MarginApplied(target, binding.marketId, referenceTimestamp, next);
    }

    /// @notice What `applyMargin` would set now; reverts with the same error. What the protocol itself refuses beyond
    /// its known bounds, a missing role above all, shows only in a simulation of `applyMargin`.
    function preview(bytes32 target) external view returns (Setting memory next) {
        (next,) = _next(target);
    }

    /// @notice What the protocol holds for a target, in its own unit.
    function inPlace(bytes32 target) public view virtual returns (Setting memory);

    /// @notice Stops feeding a target, at once; what is in place stays. Owner only; to bind it again takes the delay.
    function unbind(bytes32 target) external onlyOwner {
        if (bindings[target].sizeWad == 0) revert NotBound(target);
        bindings[target].sizeWad = 0;
        emit Unbound(target);
    }

    // ------------------------------------------------------------------ for each protocol

    /// @dev In the protocol's unit, rounded towards more margin, and within the protocol's bounds or reverted.
    function _settingOf(bytes32 target, Charge memory charge) internal view virtual returns (Setting memory);

    /// @dev The call of the protocol's setter; what comes of it is read back by `applyMargin`.
    function _set(bytes32 target, Setting memory next) internal virtual;

    // ------------------------------------------------------------------ inside

    function _bind(bytes32 target, uint32 marketId, uint128 sizeWad) internal {
        if (sizeWad == 0) revert SizeMissing(target);
        if (!oracle.marketConfig(marketId).exists) revert IMarginOracle.UnknownMarket(marketId);
        bindings[target].marketId = marketId;
        bindings[target].sizeWad = sizeWad;
        emit Bound(target, marketId, sizeWad);
    }

    function _requireWithin(Figure figure, uint256 value, uint256 minimum, uint256 maximum) internal pure {
        if (value < minimum || value > maximum) revert OutOfBounds(figure, value, minimum, maximum);
    }

    /// @dev For a protocol that holds one figure for both sides: the dearer side counts.
    function _dearerSideUp(Charge memory charge, uint256 e30PerUnit) internal pure returns (Setting memory) {
        return Setting({
            initial: Math.ceilDiv(Math.max(charge.initialLongE30, charge.initialShortE30), e30PerUnit),
            maintenance: Math.ceilDiv(Math.max(charge.maintenanceLongE30, charge.maintenanceShortE30), e30PerUnit)
        });
    }

    function _next(bytes32 target) private view returns (Setting memory next, uint40 referenceTimestamp) {
        Binding memory binding = bindings[target];
        if (binding.sizeWad == 0) revert NotBound(target);
        IMarginOracle.CurrentMargin memory margin = oracle.margin(binding.marketId);
        referenceTimestamp = margin.referenceTimestamp;
        if (referenceTimestamp < binding.appliedTimestamp) {
            revert OlderThanApplied(binding.appliedTimestamp, referenceTimestamp);
        }
        next = _settingOf(target, _charge(margin, binding.sizeWad));
        if (_equal(next, inPlace(target))) revert NothingToChange(target);
    }

    /// @dev ppm times 1e24 and ppm per million USD times USD wad are both 1e30 for the whole notional.
    function _charge(IMarginOracle.CurrentMargin memory margin, uint256 sizeWad) private pure returns (Charge memory) {
        uint256 sizeLongE30 = margin.slopeLong * sizeWad;
        uint256 sizeShortE30 = margin.slopeShort * sizeWad;
        return Charge({
            initialLongE30: margin.initialLong * PPM_E30 + sizeLongE30,
            initialShortE30: margin.initialShort * PPM_E30 + sizeShortE30,
            maintenanceLongE30: margin.maintenanceLong * PPM_E30 + sizeLongE30,
            maintenanceShortE30: margin.maintenanceShort * PPM_E30 + sizeShortE30
        });
    }

    function _equal(Setting memory left, Setting memory right) private pure returns (bool) {
        return left.initial == right.initial && left.maintenance == right.maintenance;
    }
}
