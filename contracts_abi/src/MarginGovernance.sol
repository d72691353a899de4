// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {HeadWords} from "./HeadWords.sol";
import {IMarginOracle} from "./IMarginOracle.sol";
import {MarginBounds} from "./MarginBounds.sol";
import {MarginStore} from "./MarginStore.sol";
import {MarginWords} from "./MarginWords.sol";
import {SignerSets} from "./SignerSets.sol";

/// @title What owner, custodians and guardian may do to the oracle. None of it sets a ratio.
/// @dev A change of the owner's is a call of this contract to itself, announced and delayed: what waits is what is
/// carried out, byte for byte.
abstract contract MarginGovernance is MarginStore, Ownable2Step {
    using HeadWords for uint256;
    using SignerSets for SignerSet;

    struct Rotation {
        address signer;
        uint40 allowedTimestamp;
    }

    uint256 private constant CHANGE_LIFETIME_SECONDS = 14 days;
    uint256 private constant ROTATION_PAUSE_SECONDS = 1 days;
    /// @dev A longer delay could never be taken back in time.
    uint256 private constant OWNER_DELAY_MAXIMUM_SECONDS = 30 days;

    address public guardian;
    uint32 public ownerDelaySeconds;
    mapping(bytes32 id => uint40) public readyTimestamp;
    mapping(address custodian => Rotation) public rotation;

    /// @dev A change: by the owner at once before the first report, through `executeChange` after it.
    modifier afterDelay() {
        _checkOwner();
        if (msg.sender != address(this) && _delaySeconds() != 0) revert MustWait(_delaySeconds());
        _;
    }

    modifier onlyGuardian() {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        _;
    }

    constructor(Setup memory setup) Ownable(setup.owner) {
        _setGuardian(setup.guardian);
        _setOwnerDelay(setup.ownerDelaySeconds);
        _setTiming(setup.timing);
    }

    // ------------------------------------------------------------------ owner

    function setSigners(SignerSet calldata set) external afterDelay {
        _setSigners(set);
    }

    function configureMarket(uint32 marketId, string calldata name, MarketConfig calldata config) external afterDelay {
        MarginBounds.requireSound(config);
        MarginWords.Market storage market = _markets[marketId];
        // What waits was judged by the old limits.
        if (MarginWords.isPending(market.current)) _cancelPending(marketId);
        (market.firstLimits, market.secondLimits) = MarginWords.packLimits(config);
        emit MarketConfigured(marketId, name, config);
    }

    function setTiming(Timing calldata newTiming) external afterDelay {
        _setTiming(newTiming);
    }

    function grantRotation(address custodian, address signer) external afterDelay {
        rotation[custodian] = Rotation(signer, 0);
        emit RotationGranted(custodian, signer);
    }

    function setGuardian(address newGuardian) external afterDelay {
        _setGuardian(newGuardian);
    }

    function setOwnerDelay(uint32 newOwnerDelaySeconds) external afterDelay {
        _setOwnerDelay(newOwnerDelaySeconds);
    }

    function transferOwnership(address newOwner) public override(IMarginOracle, Ownable2Step) afterDelay {
        super.transferOwnership(newOwner);
    }

    function renounceOwnership() public pure override {
        revert OwnerCannotResign();
    }

    function proposeChange(bytes calldata change) external onlyOwner returns (bytes32 id) {
        _requireOwnerFunction(bytes4(change));
        id = keccak256(change);
        if (readyTimestamp[id] != 0) revert AlreadyProposed(id);
        // Also before the first report: else what was announced then could be carried out at once after it.
        uint40 ready = uint40(block.timestamp + ownerDelaySeconds);
        readyTimestamp[id] = ready;
        emit ChangeProposed(id, ready, change);
    }

    function executeChange(bytes calldata change) external onlyOwner {
        bytes32 id = keccak256(change);
        uint40 ready = _takeProposed(id);
        if (block.timestamp < ready) revert ChangeNotReady(ready, block.timestamp);
        if (block.timestamp > ready + CHANGE_LIFETIME_SECONDS) {
            revert ChangeExpired(ready + CHANGE_LIFETIME_SECONDS, block.timestamp);
        }
        emit ChangeExecuted(id);
        Address.functionCall(address(this), change);
    }

    function cancelChange(bytes calldata change) external {
        if (msg.sender != guardian) {
            _checkOwner();
        } else if (bytes4(change) == this.setGuardian.selector) {
            revert GuardianCannotKeepOffice();
        }
        bytes32 id = keccak256(change);
        _takeProposed(id);
        emit ChangeCancelled(id, msg.sender);
    }

    function announceCalibration(bytes32 contentHash, string calldata location) external onlyOwner {
        emit CalibrationAnnounced(contentHash, location);
    }

    // ------------------------------------------------------------------ custodian

    function rotateSigner(SignerSet calldata current, address newSigner) external {
        Rotation memory granted = rotation[msg.sender];
        SignerSet memory set = current;
        bytes32 setHash = set.hash(signerSetEpoch);
        if (setHash != signerSetHash) revert WrongSignerSet(signerSetHash, setHash);
        if (granted.signer == address(0) || !set.replace(granted.signer, newSigner)) {
            revert NotCustodian(msg.sender, granted.signer);
        }
        if (block.timestamp < granted.allowedTimestamp) {
            revert RotationTooSoon(granted.allowedTimestamp, block.timestamp);
        }
        rotation[msg.sender] = Rotation(newSigner, uint40(block.timestamp + ROTATION_PAUSE_SECONDS));
        emit SignerRotated(msg.sender, granted.signer, newSigner);
        _setSigners(set);
    }

    // ------------------------------------------------------------------ guardian

    function pause() external onlyGuardian {
        _head = _head.withPause(true);
        emit Paused();
    }

    function unpause() external onlyGuardian {
        _head = _head.withPause(false);
        emit Unpaused();
    }

    function cancelPending(uint32 marketId) external onlyGuardian {
        if (!MarginWords.isPending(_markets[marketId].current)) revert NothingPending(marketId);
        _cancelPending(marketId);
    }

    function voidAccounts() external onlyGuardian {
        delete _accountsRoots;
        emit AccountsVoided(_head.referenceBlock());
    }

    // ------------------------------------------------------------------ inside

    function _setSigners(SignerSet memory set) private {
        set.requireSound();
        uint32 epoch = ++signerSetEpoch;
        signerSetHash = set.hash(epoch);
        emit SignerSetChanged(epoch, set.threshold, set.stepThreshold, set.signers);
    }

    function _setTiming(Timing memory newTiming) private {
        if (newTiming.heartbeatSeconds == 0) revert InvalidConfiguration();
        _head = _head.withTiming(newTiming);
        emit TimingChanged(newTiming);
    }

    function _setGuardian(address newGuardian) private {
        guardian = newGuardian;
        emit GuardianChanged(newGuardian);
    }

    function _setOwnerDelay(uint32 newOwnerDelaySeconds) private {
        if (newOwnerDelaySeconds > OWNER_DELAY_MAXIMUM_SECONDS) revert InvalidConfiguration();
        ownerDelaySeconds = newOwnerDelaySeconds;
        emit OwnerDelayChanged(newOwnerDelaySeconds);
    }

    function _cancelPending(uint32 marketId) private {
        MarginWords.Market storage market = _markets[marketId];
        market.current &= ~MarginWords.PENDING_FLAG;
        emit PendingCancelled(marketId, MarginWords.announced(marketId, market.pending));
    }

    function _takeProposed(bytes32 id) private returns (uint40 ready) {
        ready = readyTimestamp[id];
        if (ready == 0) revert NotProposed(id);
        delete readyTimestamp[id];
    }

    /// @dev Nothing to wait for while no margin is in force.
    function _delaySeconds() private view returns (uint256) {
        return _head.sequence() == 0 ? 0 : ownerDelaySeconds;
    }

    function _requireOwnerFunction(bytes4 selector) private pure {
        bool isOwnerFunction = selector == this.setSigners.selector || selector == this.configureMarket.selector
            || selector == this.setTiming.selector || selector == this.grantRotation.selector
            || selector == this.setGuardian.selector || selector == this.setOwnerDelay.selector
            || selector == this.transferOwnership.selector;
        if (!isOwnerFunction) revert NotAnOwnerFunction(selector);
    }

    /// @dev A change that is carried out comes from the contract itself; only `executeChange` calls it.
    function _checkOwner() internal view override {
        if (msg.sender != address(this)) super._checkOwner();
    }
}
