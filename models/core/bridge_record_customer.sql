-- One row per record that can name a person, with the customer it belongs to; -1 where it names nobody. A referral belongs to
-- the person who was referred. A view: the facts hold the answer already.
with

keyed as (
    select
        'account' as entity,
        source_system,
        source_system || ':' || source_record_id as record_key,
        customer_id
    from {{ ref('int_core__accounts') }}
    {% for entity, fact, key, customer in [
        ('event', 'fct_event', 'event_key', 'customer_id'),
        ('order_header', 'fct_order', 'order_key', 'customer_id'),
        ('refund', 'fct_refund', 'refund_key', 'customer_id'),
        ('spend', 'fct_spend', 'spend_key', 'customer_id'),
        ('touch', 'fct_touch', 'touch_key', 'customer_id'),
        ('benefit', 'fct_benefit', 'benefit_key', 'customer_id'),
        ('feedback', 'fct_feedback', 'feedback_key', 'customer_id'),
        ('referral', 'fct_referral', 'referral_key', 'referee_customer_id'),
        ('subscription', 'fct_subscription', 'subscription_key', 'customer_id'),
        ('privacy_event', 'fct_privacy_event', 'privacy_event_key', 'customer_id'),
    ] %}
    union all

    select
        '{{ entity }}' as entity,
        source_system,
        {{ key }} as record_key,
        {{ customer }} as customer_id
    from {{ ref(fact) }}
    {% endfor %}
),

final as (
    select
        entity,
        source_system,
        substr(record_key, length(source_system) + 2) as source_record_id,
        customer_id
    from keyed
)

select * from final
