// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ConsumedRiskOracle} from "./ConsumedRiskOracle.sol";

/// @title How Aave's risk steward bounds an e-mode category: a time between changes, a largest change, no zero.
contract StewardStandIn {
    struct Category {
        uint256 ltvBps;
        uint256 liquidationThresholdBps;
        uint256 liquidationBonusBps;
    }

    uint256 public constant MINIMUM_DELAY_SECONDS = 3 days;
    uint256 public constant MAXIMUM_CHANGE_BPS = 50;

    address public immutable riskCouncil;
    mapping(uint8 category => Category) private _categories;
    mapping(uint8 category => uint256) private _updatedAt;

    error InvalidCaller();
    error InvalidUpdateToZero();
    error DebounceNotRespected();
    error UpdateNotInRange();

    constructor(address riskCouncil_, uint8 category, Category memory initial) {
        riskCouncil = riskCouncil_;
        _categories[category] = initial;
    }

    function categoryOf(uint8 category) external view returns (Category memory) {
        return _categories[category];
    }

    function updateEModeCategory(uint8 category, Category calldata to) external {
        if (msg.sender != riskCouncil) revert InvalidCaller();
        if (to.ltvBps == 0 || to.liquidationThresholdBps == 0 || to.liquidationBonusBps == 0) {
            revert InvalidUpdateToZero();
        }
        if (block.timestamp - _updatedAt[category] < MINIMUM_DELAY_SECONDS) revert DebounceNotRespected();
        Category memory from = _categories[category];
        _requireInRange(from.ltvBps, to.ltvBps);
        _requireInRange(from.liquidationThresholdBps, to.liquidationThresholdBps);
        _requireInRange(from.liquidationBonusBps, to.liquidationBonusBps);
        _categories[category] = to;
        _updatedAt[category] = block.timestamp;
    }

    function _requireInRange(uint256 from, uint256 to) private pure {
        if ((to > from ? to - from : from - to) > MAXIMUM_CHANGE_BPS) revert UpdateNotInRange();
    }
}

/// @title How Aave's e-mode injector takes an update: what reverts is no update, what is six hours old is none either,
/// and none is taken twice.
contract InjectorStandIn {
    uint256 public constant EXPIRATION_SECONDS = 6 hours;
    string public constant UPDATE_TYPE = "EModeCategoryUpdate";

    ConsumedRiskOracle public immutable riskOracle;
    StewardStandIn public steward;
    mapping(uint256 updateId => bool) public isUpdateIdExecuted;

    error NoInjectionPossible();

    constructor(ConsumedRiskOracle riskOracle_) {
        riskOracle = riskOracle_;
    }

    function setSteward(StewardStandIn steward_) external {
        steward = steward_;
    }

    function canInject(address market)
        public
        view
        returns (bool possible, ConsumedRiskOracle.RiskParameterUpdate memory)
    {
        try riskOracle.getLatestUpdateByParameterAndMarket(UPDATE_TYPE, market) returns (
            ConsumedRiskOracle.RiskParameterUpdate memory update
        ) {
            bool isYoung = block.timestamp <= update.timestamp + EXPIRATION_SECONDS;
            return (isYoung && !isUpdateIdExecuted[update.updateId], update);
        } catch {
            return (false, _none());
        }
    }

    function inject(address market) external {
        (bool possible, ConsumedRiskOracle.RiskParameterUpdate memory update) = canInject(market);
        if (!possible) revert NoInjectionPossible();
        (uint256 ltvBps, uint256 thresholdBps, uint256 bonusBps) =
            abi.decode(update.newValue, (uint256, uint256, uint256));
        steward.updateEModeCategory(
            uint8(uint160(update.market)), StewardStandIn.Category(ltvBps, thresholdBps, bonusBps)
        );
        isUpdateIdExecuted[update.updateId] = true;
    }

    function _none() private pure returns (ConsumedRiskOracle.RiskParameterUpdate memory update) {}
}
